"""Tasks from the moment they wait until their answer is in S3."""
