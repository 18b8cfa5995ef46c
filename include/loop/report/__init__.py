"""What a round came to, told to people: a page per round and a running history."""

from include.loop.report.page import POLICY, choice, publish, publish_history

__all__ = ["POLICY", "choice", "publish", "publish_history"]
