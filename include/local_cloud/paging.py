"""Lists of the base services that stay true while somebody writes: nothing twice, nothing lost that was there
all the time, and an end.

ministack's token of most lists is a position, which means another item as soon as one is made or deleted
between two pages, and FilterLogEvents has no token at all: what is past its first page could not be read.
Here a listing remembers the names that were there at its first page, and FilterLogEvents where it stood.
Takes one of ministack's modules and puts itself before its requests. Knows ministack's requests and replies,
of the version pinned in constraints.txt.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
    token: str = "nextToken"
    limit: str | None = "limit"
    most: int = 50
    unknown: str = "InvalidParameterException"


_RULES = _List("Rules", "Name", "NextToken", "Limit", 100, "ValidationException")
_TOPICS = _List("Topics", None, "NextToken", None, 100, "InvalidParameter")
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
    "sns": {
        "ListTopics": _TOPICS,
        "ListSubscriptions": replace(_TOPICS, items="Subscriptions"),
        "ListPlatformApplications": replace(_TOPICS, items="PlatformApplications"),
    },
}


def install(module: ModuleType, service: str) -> None:
    """Let this module answer its list operations as said above."""
    lists = _LISTS.get(service, {})
    wire = _Form if service == "sns" else _Json
    answer = module.handle_request
    left: OrderedDict[str, list[str]] = OrderedDict()  # token → the names that are still to come

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Reply:
        async def ask(members: dict[str, Any]) -> Reply:
            reply: Reply = await answer(method, path, headers, wire.write_request(members), query)
            return reply

        operation = wire.operation(headers, body)
        if operation in lists or operation == "FilterLogEvents":
            asked = wire.read_request(body)
            if asked is not None:
                if operation in lists:
                    return await _page(ask, asked, lists[operation], wire, left)
                return await _filtered(ask, asked, module)
        reply: Reply = await answer(method, path, headers, body, query)
        return reply

    module.handle_request = handle_request  # type: ignore[attr-defined]


async def _page(
    ask: Ask, asked: dict[str, Any], form: _List, wire: type[_Json], left: OrderedDict[str, list[str]]
) -> Reply:
    token = asked.pop(form.token, None)
    wanted = asked.get(form.limit) if form.limit else form.most
    if wanted is None and form.limit == "MaxResults":
        return await ask(asked)  # SQS has pages for those only who say how large they should be
    if token and token not in left:
        message = f"{form.token} is of no listing that this cloud remembers: list from the start again"
        return wire.error(form.unknown, message)
    # No other request is answered while this one is put together: nothing here waits for anything.
    items: dict[str, Any] = {}
    more: str | None = None
    whole = asked | ({form.limit: form.most} if form.limit else {})
    while True:
        reply = await ask(whole | ({form.token: more} if more else {}))
        if reply[0] != 200:
            return reply
        found, more = wire.read_reply(reply, form)
        items |= found
        if not more:
            break
    names = [name for name in left[token] if name in items] if token else list(items)
    count = max(1, min(int(wanted or form.most), form.most))
    following = None
    if len(names) > count:
        following = uuid.uuid4().hex
        left[following] = names[count:]
        while len(left) > _REMEMBERED:
            left.popitem(last=False)
    return wire.write_reply(reply, form, [items[name] for name in names[:count]], following)


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
            return _Json.error("InvalidParameterException", "The specified nextToken is invalid.")
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
            return _Json.error("InvalidParameterException", message)
        last = page[-1]["timestamp"]
        told = [event["eventId"] for event in page if event["timestamp"] == last]
        told += seen if last == since else ()
        reply["nextToken"] = base64.b64encode(json.dumps([last, told]).encode()).decode()
    return status, headers, json.dumps(reply).encode()


class _Json:
    """How requests and replies are written: JSON, the operation in a header."""

    @staticmethod
    def operation(headers: dict[str, str], body: bytes) -> str:
        return headers.get("x-amz-target", "").rpartition(".")[2]

    @staticmethod
    def read_request(body: bytes) -> dict[str, Any] | None:
        """The members, or None when the body is not what it should be: then ministack says so."""
        try:
            members = json.loads(body or b"{}")
        except ValueError:
            return None
        return members if isinstance(members, dict) else None

    @staticmethod
    def write_request(members: dict[str, Any]) -> bytes:
        return json.dumps(members).encode()

    @staticmethod
    def read_reply(reply: Reply, form: _List) -> tuple[dict[str, Any], str | None]:
        """Items by name, and ministack's own token."""
        content = json.loads(reply[2])
        items = content[form.items]
        return {item[form.name] if form.name else json.dumps(item): item for item in items}, content.get(
            form.token
        )

    @staticmethod
    def write_reply(reply: Reply, form: _List, items: list[Any], token: str | None) -> Reply:
        content: dict[str, Any] = {form.items: items} | ({form.token: token} if token else {})
        return reply[0], reply[1], json.dumps(content).encode()

    @staticmethod
    def error(code: str, message: str) -> Reply:
        content = json.dumps({"__type": code, "message": message})
        return 400, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, content.encode()


class _Form(_Json):
    """Forms and XML, for SNS."""

    @staticmethod
    def operation(headers: dict[str, str], body: bytes) -> str:
        return dict(parse_qsl(body.decode("utf-8", "replace"))).get("Action", "")

    @staticmethod
    def read_request(body: bytes) -> dict[str, Any] | None:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

    @staticmethod
    def write_request(members: dict[str, Any]) -> bytes:
        return urlencode(members).encode()

    @staticmethod
    def read_reply(reply: Reply, form: _List) -> tuple[dict[str, Any], str | None]:
        text = reply[2].decode()
        members = re.findall(r"<member>.*?</member>", text, re.DOTALL)
        token = re.search(r"<NextToken>(.*?)</NextToken>", text)
        # Each begins with its own ARN.
        return {member.partition("</")[0]: member for member in members}, token[1] if token else None

    @staticmethod
    def write_reply(reply: Reply, form: _List, items: list[Any], token: str | None) -> Reply:
        head, _, rest = reply[2].decode().partition(f"<{form.items}>")
        tail = rest.rpartition(f"</{form.items}>")[2]
        tail = re.sub(r"^<NextToken>.*?</NextToken>", "", tail)
        following = f"<NextToken>{token}</NextToken>" if token else ""
        text = f"{head}<{form.items}>{''.join(items)}</{form.items}>{following}{tail}"
        return reply[0], reply[1], text.encode()

    @staticmethod
    def error(code: str, message: str) -> Reply:
        content = (
            f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
        return 400, {"Content-Type": "text/xml"}, content.encode()
