"""The AWS wire: requests in, replies out, both by the letter of botocore's own service models.

It gives the servers of this project their tongue and knows nobody: an implementation is any object with one
snake_case method per operation, which takes a dict of modelled members and returns one. ``listening`` is how
they listen.
"""

from include.wire.messages import AwsError, Reply, Request
from include.wire.service import AwsService

__all__ = ["AwsError", "AwsService", "Reply", "Request"]
