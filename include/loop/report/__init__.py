"""What a round came to, told to people: a page per round and a running history."""

from include.loop.report.page import POLICY, publish

__all__ = ["POLICY", "publish"]
