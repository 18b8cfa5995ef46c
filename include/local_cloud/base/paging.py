"""Lists of the base services that stay true while somebody writes: nothing twice, nothing lost that was there
all the time, and an end.

ministack's token of most lists is a position, which means another item as soon as one is made or deleted
between two pages, and FilterLogEvents has no token at all: what is past its first page could not be read.
Here a listing remembers the names that were there at its first page, and FilterLogEvents where it stood.
Takes one of ministack's modules and puts itself before its requests.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

Reply = tuple[int, dict[str, str], Any]
Ask = Callable[[dict[str, Any]], Awaitable[Reply]]

_REMEMBERED = 1_000  # listings that somebody may be in the middle of
_EVENTS = 10_000  # what FilterLogEvents gives at most, and unless it is told otherwise


@dataclass(frozen=True)
class _List:
    """One list operation: the members of its request and reply, and its error for a token of nobody.

    ``name`` is the member that names an item; None when an item is nothing but its name, or has none that is
    its own.
    """

    items: str
    name: str | None
    token: str = "nextToken"  # noqa: S105 -- a place in a list
    limit: str = "limit"
    most: int = 50
    unknown: str = "InvalidParameterException"


_RULES = _List("Rules", "Name", "NextToken", "Limit", 100, "ValidationException")
_LISTS = {
    "logs": {
        "DescribeLogGroups": _List("logGroups", "logGroupName"),
        "DescribeLogStreams": _List("logStreams", "logStreamName"),
        "DescribeSubscriptionFilters": _List("subscriptionFilters", "filterName"),
        "DescribeMetricFilters": _List("metricFilters", None),
        "DescribeDestinations": _List("destinations", "destinationName"),
    },
    "events": {
        "ListRules": _RULES,
        "ListRuleNamesByTarget": replace(_RULES, items="RuleNames", name=None),
    },
    "sqs": {"ListQueues": _List("QueueUrls", None, "NextToken", "MaxResults", 1_000, "InvalidAddress")},
}


def install(module: ModuleType, service: str) -> None:
    """Let this module answer its list operations as said above."""
    lists = _LISTS.get(service, {})
    answer = module.handle_request
    left: OrderedDict[str, list[str]] = OrderedDict()  # token → the names that are still to come

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Reply:
        async def ask(members: dict[str, Any]) -> Reply:
            reply: Reply = await answer(method, path, headers, json.dumps(members).encode(), query)
            return reply

        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation in lists or (service == "logs" and operation == "FilterLogEvents"):
            asked = _members(body)
            if "logGroupIdentifier" in asked:  # a name or an ARN, which not every list looks at
                group = module._resolve_log_group_name(
                    {"logGroupIdentifier": asked.pop("logGroupIdentifier")}
                )
                asked.setdefault("logGroupName", group)
            if operation in lists:
                return await _page(ask, asked, lists[operation], left)
            return await _filtered(ask, asked, module)
        reply: Reply = await answer(method, path, headers, body, query)
        return reply

    module.handle_request = handle_request  # type: ignore[attr-defined]


async def _page(ask: Ask, asked: dict[str, Any], form: _List, left: OrderedDict[str, list[str]]) -> Reply:
    token, wanted = asked.pop(form.token, None), asked.get(form.limit)
    if wanted is None and form.limit == "MaxResults":
        return await ask(asked)  # SQS has pages for those only who say how large they should be
    if token and token not in left:
        message = f"{form.token} is of no listing that this cloud remembers: list from the start again"
        return _error(form.unknown, message)
    # No other request is answered while this one is put together: nothing here waits for anything.
    items: dict[str, Any] = {}
    more: str | None = None
    while True:
        reply = await ask(asked | {form.limit: form.most} | ({form.token: more} if more else {}))
        if reply[0] != 200:
            return reply
        content = json.loads(reply[2])
        items |= {item[form.name] if form.name else json.dumps(item): item for item in content[form.items]}
        more = content.pop(form.token, None)
        if not more:
            break
    names = [name for name in left[token] if name in items] if token else list(items)
    count = max(1, min(int(wanted or form.most), form.most))
    content[form.items] = [items[name] for name in names[:count]]
    if len(names) > count:
        content[form.token] = uuid.uuid4().hex
        left[content[form.token]] = names[count:]
        while len(left) > _REMEMBERED:
            left.popitem(last=False)
    return reply[0], reply[1], json.dumps(content).encode()


async def _filtered(ask: Ask, asked: dict[str, Any], logs: ModuleType) -> Reply:
    """FilterLogEvents with pages, and with the prefix of stream names that ministack does not look at."""
    token = asked.pop("nextToken", None)
    limit = max(1, min(int(asked.pop("limit", None) or _EVENTS), _EVENTS))
    since, seen = None, frozenset[str]()
    if token:
        try:
            since, told = json.loads(base64.b64decode(token, validate=True))
            seen = frozenset(told)
        except (binascii.Error, ValueError, TypeError):
            return _error("InvalidParameterException", "The specified nextToken is invalid.")
        asked["startTime"] = since
    if prefix := asked.pop("logStreamNamePrefix", None):
        group = logs._log_groups.get(logs._resolve_log_group_name(asked)) or {"streams": {}}
        names = [name for name in group["streams"] if name.startswith(prefix)]
        asked["logStreamNames"] = names or [""]  # no stream is called so: nothing is found
    status, headers, body = await ask(asked | {"limit": _EVENTS})
    if status != 200:
        return status, headers, body
    found = json.loads(body)["events"]
    fresh = [event for event in found if event["timestamp"] != since or event["eventId"] not in seen]
    page = fresh[:limit]
    reply: dict[str, Any] = {"events": page, "searchedLogStreams": []}
    if len(fresh) > limit or len(found) == _EVENTS:
        if not page:
            message = f"more than {_EVENTS} events of the millisecond {since}: ask for fewer streams at once"
            return _error("InvalidParameterException", message)
        last = page[-1]["timestamp"]
        told = [event["eventId"] for event in page if event["timestamp"] == last]
        told += seen if last == since else ()
        reply["nextToken"] = base64.b64encode(json.dumps([last, told]).encode()).decode()
    return status, headers, json.dumps(reply).encode()


def _members(body: bytes) -> dict[str, Any]:
    members = json.loads(body or b"{}")
    if not isinstance(members, dict):
        raise ValueError("the body is no JSON object")
    return members


def _error(code: str, message: str) -> Reply:
    content = json.dumps({"__type": code, "message": message})
    return 400, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, content.encode()
