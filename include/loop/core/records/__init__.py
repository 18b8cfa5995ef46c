"""What the loop keeps in S3, as types: the only modules that name the fields of a stored object."""
