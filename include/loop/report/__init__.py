"""What a night came to, told to people: a page per round and a running history."""

from include.loop.report.page import publish

__all__ = ["publish"]
