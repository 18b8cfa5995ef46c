"""What all stages stand on: errors, S3 and the names of things in it, identities, the opening of images."""
