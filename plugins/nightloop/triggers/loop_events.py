"""The ends of human loops as they arrive in an SQS queue, for the triggers that wait for them.

Takes a queue that gets EventBridge's "SageMaker A2I HumanLoop Status Change", by a rule on AWS or from the
review server's `serve --events-to`; wakes those whose loops are named. One reader serves all triggers of a
triggerer, since each message is given to one reader only. An event is a hint and no answer: it may be late,
lost or told twice, so those that wait look for themselves, and now and then even when nothing is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

log = logging.getLogger(__name__)

LONG_POLL = 20  # seconds a request waits for a message; the most that SQS takes
MESSAGES = 10  # the most that SQS gives at once
# Nobody here waits for it: another triggerer may. It comes again after so many seconds, so often.
HIDDEN_SECONDS = 30
MOST_RECEIVES = 3
PAUSE = 30  # seconds between two tries when the queue cannot be read


class Subscription:
    """One that waits: `mine` tells whether a loop's name is one of its own."""

    def __init__(self, mine: Callable[[str], bool], queue: Queue) -> None:
        self.mine = mine
        self.told = asyncio.Event()
        self._queue = queue

    @property
    def is_failing(self) -> bool:
        """The queue cannot be read at present."""
        return self._queue.failing

    async def listen(self, most: float) -> None:
        """Until something is told that was not told before, or the queue fails, or for `most` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.told.wait(), most)
        self.told.clear()


class Queue:
    """Reads a queue as long as somebody waits for what is in it.

    :param connect: gives an asynchronous SQS client, as `LoopAwsHook.get_async_conn` does.
    """

    def __init__(self, url: str, connect: Callable[[], Any]) -> None:
        self.url = url
        self.subscriptions: list[Subscription] = []
        self.failing = False
        self._connect = connect

    async def read(self) -> None:
        while True:
            try:
                async with await self._connect() as client:
                    while True:
                        await self._read_some(client)
            except Exception as error:  # whatever it is: those that wait must learn that nothing is read
                if not self.failing:
                    log.warning(
                        "Queue %s cannot be read, so loops are looked at every interval: %s", self.url, error
                    )
                self.failing = True
                for subscription in self.subscriptions:
                    subscription.told.set()
            await asyncio.sleep(PAUSE)

    async def _read_some(self, client: Any) -> None:
        reply = await client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=MESSAGES,
            WaitTimeSeconds=LONG_POLL,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        if self.failing:
            log.info("Queue %s can be read again.", self.url)
        self.failing = False
        done = [message for message in reply.get("Messages", []) if self._is_done_with(message)]
        if done:
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(done)
            ]
            await client.delete_message_batch(QueueUrl=self.url, Entries=handles)

    def _is_done_with(self, message: dict[str, Any]) -> bool:
        """Tell those who wait for it; True when nobody need see it again."""
        name = loop_name_of(message["Body"])
        waiting = [one for one in self.subscriptions if name is not None and one.mine(name)]
        for one in waiting:
            one.told.set()
        return bool(waiting) or int(message["Attributes"]["ApproximateReceiveCount"]) >= MOST_RECEIVES


def loop_name_of(body: str) -> str | None:
    """The human loop that an event names; None when it is another event, or none."""
    try:
        name = json.loads(body)["detail"]["humanLoopName"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return name if isinstance(name, str) else None


# The queues that are read in this process, each with its reader. An event loop has queues of its own.
_read: dict[tuple[int, str], tuple[Queue, asyncio.Task[None]]] = {}


@asynccontextmanager
async def ends_of_loops(
    url: str, mine: Callable[[str], bool], connect: Callable[[], Any]
) -> AsyncIterator[Subscription]:
    """Be told of the loops that are `mine`; the queue is read as long as anybody listens."""
    key = id(asyncio.get_running_loop()), url
    if key not in _read:
        queue = Queue(url, connect)
        _read[key] = queue, asyncio.create_task(queue.read())
    queue, reader = _read[key]
    subscription = Subscription(mine, queue)
    queue.subscriptions.append(subscription)
    try:
        yield subscription
    finally:
        queue.subscriptions.remove(subscription)
        if not queue.subscriptions:
            del _read[key]
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
