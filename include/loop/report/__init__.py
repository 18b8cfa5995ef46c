"""What a round came to, told to people: a page per round and a running history."""

from include.loop.report.page import POLICY, publish, publish_history

__all__ = ["POLICY", "publish", "publish_history"]
