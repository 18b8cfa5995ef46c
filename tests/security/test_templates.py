"""What a hostile template, or an owner at the bench, can take from the server: bounded memory, bounded time,
and no object of S3 that is not the task's. The frame's own walls are in ``test_frames``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from include.review_server.db.models import Complaint, FlowDefinition
from include.review_server.errors import RenderBusy
from include.review_server.portal.turns import Turns
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import READ_PREFIXES, ReviewSettings, read_prefixes
from include.review_server.templates.check import check
from include.review_server.templates.elements import tags
from include.review_server.templates.grants import ReadAccess, below, named_in
from include.review_server.templates.html_tokens import tokens
from include.review_server.templates.liquid import frame_document
from include.review_server.templates.places import outputs
from include.review_server.templates.render_pool import RenderPool
from include.review_server.templates.values import parse_relaxed
from tests.review_server.conftest import database_kind, rig
from tests.review_server.rig import Flow, Person, Rig
from tests.support.cloud import ROLE, ROOT, eventually

__all__ = ["database_kind", "rig"]

_DOUBLED = "{% assign a = 'xxxxxxxxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40
_BIG = "{% assign n = 99999999 %}" + "{% assign n = n | times: n %}" * 40

# Each takes all memory or an interpreter for good where nothing bounds it.
GREEDY = {
    "a sorted range": "{% assign a = (1..99999999999) | sort %}",
    "a range backwards": "{% assign a = (1..99999999999) | reverse %}",
    "a joined range": "{{ (1..99999999999) | join: '' }}",
    "text doubled by append": _DOUBLED,
    "text multiplied by replace": "{% assign a = 'xxxx' %}{% for i in (1..60) %}"
    "{% assign a = a | replace: 'x', 'xxxxxxxx' %}{% endfor %}",
    "lists doubled by concat": "{% assign a = 'x,x' | split: ',' %}" + "{% assign a = a | concat: a %}" * 40,
    "a text split into millions": "{% assign a = 'xxxxxxxx' %}"
    + "{% assign a = a | append: a %}" * 24
    + "{{ a | split: '' | size }}",
    "text doubled by capture": "{% assign a = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}"
    "{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}",
    "times, forty times": _BIG + "{{ n }}",
    "divided_by of what times made": _BIG + "{{ n | divided_by: 3 }}",
    "assigns in loops": "{% assign n = 1 %}{% for i in (1..190000) %}"
    "{% assign n = n | times: 99999999999999999999999999 %}{% endfor %}{{ n }}",
    "raw that is never closed": "{% raw %}" * 14_000,
    "an output of spaces": "{{" + " " * 127_000 + "}}",
    "loops in loops": "{% for i in (1..500) %}{% for j in (1..500) %}{% for k in (1..500) %}x"
    "{% endfor %}{% endfor %}{% endfor %}",
    "a table": "{% tablerow i in (1..99999999) cols: 2 %}{{ i }}{% endtablerow %}",
    "blocks in blocks": "{% if true %}" * 9_000,
    "braces": "{{" * 60_000,
}
# Odd, and no reason to fail anybody: an error for the author, or a page.
ODD = {
    "a huge float": "{{ 1e308 | times: 1e308 | ceil }}",
    "a number of a million digits": "{{ '" + "9" * 100_000 + "' | times: 1 }}",
    "infinity": "{{ '1e99999999' | ceil }}",
    "another template": "{% include 'x' %}",
    "another template rendered": "{% render '/etc/passwd' %}",
    "tags in tags": "<a>" * 42_600,
    "cycles": "{% for i in (1..20000) %}{% cycle 'a', 'b', 'c' %}{% endfor %}",
}
HONEST = "<crowd-form>{{ task.input.text }}</crowd-form>"


def _no_signature(location: S3Location) -> str:
    raise ValueError(f"nothing is signed here, {location.uri} neither")


@pytest.fixture(scope="module")
def pool() -> Iterator[RenderPool]:
    running = RenderPool(1, processor_seconds=1)
    yield running
    running.stop()


@pytest.mark.parametrize("template", GREEDY.values(), ids=GREEDY)
def test_a_greedy_template_costs_its_author_an_error_and_nobody_else_anything(
    pool: RenderPool, template: str
):
    before = _held_kib()
    rendered = pool.render(template, "{}", _no_signature)
    assert rendered.content == ""
    (error,) = rendered.errors
    assert re.search(r"more than|limit|never closed", error.message), error
    assert _held_kib() - before < 64 * 1024, "it was paid for elsewhere"
    assert pool.render(HONEST, '{"text": "<b>"}', _no_signature).content == HONEST.replace(
        "{{ task.input.text }}", "&lt;b&gt;"
    )


@pytest.mark.parametrize("template", ODD.values(), ids=ODD)
def test_an_odd_template_is_rendered_or_told(pool: RenderPool, template: str):
    rendered = pool.render(template, "{}", _no_signature)
    assert rendered.content or rendered.errors[0].message
    assert pool.check(template, "{}").findings


def test_a_huge_input_is_bounded_too(pool: RenderPool):
    wide = "[" + "[]," * 1_000_000 + "[]]"
    assert pool.render("{{ task.input.size }}", wide, _no_signature).errors or True
    deep = "[" * 100_000 + "]" * 100_000
    (error,) = pool.render(HONEST, deep, _no_signature).errors
    assert "nested" in error.message
    assert pool.render(HONEST, '{"text": "still here"}', _no_signature).content


def test_a_child_that_is_killed_is_replaced(pool: RenderPool):
    pool.render(HONEST, "{}", _no_signature)
    (first,) = pool.processes
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not pool.processes)
    assert pool.render(HONEST, '{"text": "again"}', _no_signature).content
    assert pool.processes != [first]


def test_a_pool_that_was_stopped_refuses_until_it_is_started_again():
    pool = RenderPool(2)
    try:
        pool.start(ready=2)
        assert len(pool.processes) == 2
        pool.stop()
        assert pool.processes == []
        with pytest.raises(RenderBusy, match="stopping"):
            pool.render(HONEST, "{}", _no_signature)
        pool.start(ready=0)
        assert pool.render(HONEST, "{}", _no_signature).content
    finally:
        pool.stop()


def test_a_child_has_no_secret_no_open_file_and_little_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-server")
    secret = tmp_path / "secret"
    secret.write_text("x")
    with open(secret) as file:
        os.set_inheritable(file.fileno(), True)
        pool = RenderPool(1)
        try:
            pool.render(HONEST, "{}", _no_signature)
            process = Path(f"/proc/{pool.processes[0]}")
            variables = (process / "environ").read_text().strip("\0").split("\0")
            assert {line.partition("=")[0] for line in variables} <= {"PYTHONPATH", "LC_CTYPE"}
            files = {os.readlink(link) for link in (process / "fd").iterdir()}
            assert str(secret) not in files
            assert {name.partition(":")[0] for name in files} <= {"socket", "/dev/null"}
            limits = (process / "limits").read_text()
            for what in ("Max cpu time", "Max address space", "Max file size", "Max open files"):
                assert not re.search(rf"{what} +unlimited", limits), limits
            assert os.readlink(process / "cwd") == "/"
        finally:
            pool.stop()


_SERVER = """
import sys, threading, time
from include.review_server.templates.render_pool import RenderPool
pool = RenderPool(2, processor_seconds=1)
sign = lambda location: ""
pool.render("x", "{}", sign)
slow = "{% raw %}" * 14000
threading.Thread(target=pool.render, args=(slow, "{}", sign), daemon=True).start()
pool.render("x", "{}", sign)
while len(pool.processes) < 2:
    time.sleep(0.01)
print(*pool.processes, flush=True)
sys.stdin.read()
"""


def test_nothing_stays_behind_when_the_server_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        children = server.stdout.readline().split()
        assert len(children) == 2
        server.kill()
    # One is idle and sees the end at once; the other is at work, and its processor time is counted.
    eventually(lambda: not any(Path(f"/proc/{int(child)}").exists() for child in children), within=120)


def test_a_server_that_is_busy_says_so_and_holds_no_thread():
    pool = RenderPool(1, most_waiting=0)
    try:

        def sign(_location: S3Location) -> str:
            with pytest.raises(RenderBusy):
                pool.render(HONEST, "{}", _no_signature)
            return "https://signed"

        rendered = pool.render("{{ 's3://bucket/key' | grant_read_access }}", "{}", sign)
        assert rendered.content == "https://signed"
    finally:
        pool.stop()


def test_no_template_waits_behind_the_queue_of_another():
    async def scene() -> list[str]:
        turns, done, held = Turns(2), [], asyncio.Event()

        async def work(group: str, until: asyncio.Event | None = None) -> None:
            async with turns.turn(group):
                if until:
                    await until.wait()
                done.append(group)

        slow = [asyncio.create_task(work("slow", held)) for _ in range(20)]
        await asyncio.sleep(0)
        # While one of them holds a place for as long as it likes, the other place serves everybody else.
        await asyncio.gather(*(work(f"quick {number}") for number in range(20)))
        held.set()
        await asyncio.gather(*slow)
        return done

    done = asyncio.run(scene())
    assert done == [f"quick {number}" for number in range(20)] + ["slow"] * 20


# Texts that a careless pattern reads again from each of their pieces.
REPEATED = [
    "{{", "{% raw %}", "<script src=", "<script src=x>", "<!--", "<a ", "<a b='", "<a>", "</a",
    "<crowd-input name=a>", "{{ x }}", "<a b='{{ x | to_json }}'>", "<script>{{ x }}",
]  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_reading_a_template_takes_time_that_grows_with_its_length_only(piece: str):
    def read(count: int) -> float:
        text = piece * count
        started = time.process_time()
        for _ in tokens(text):
            pass
        list(tags(text))
        list(outputs(text))
        frame_document(text, "https://review.example/components/1")
        return time.process_time() - started

    # Four times the text: four times the work, and not sixteen. The best of three, for others work here too.
    small, large = (min(read(count) for _ in range(3)) for count in (1_500, 6_000))
    assert large < 9 * small + 0.05


@pytest.mark.parametrize("piece", ["[", "{a:", "'", "1,", "a ", "  ", "-", "1e", "\\u"])
def test_reading_an_attribute_does_too(piece: str):
    def read(count: int) -> float:
        started = time.process_time()
        for text in (piece * count, f"[{piece * count}", f"'{piece * count}"):
            try:
                parse_relaxed(text)
            except ValueError:
                continue
        return time.process_time() - started

    small, large = (min(read(count) for _ in range(3)) for count in (10_000, 40_000))
    assert large < 9 * small + 0.05


def test_a_template_longer_than_the_api_takes_is_not_read_at_all():
    assert [finding.code for finding in check("{{" * 60_000 + " " * 10_000, {})] == ["too-long"]


# What may be shown


@pytest.fixture(scope="module")
def places(rig: Rig) -> tuple[Flow, str]:
    """A flow definition with a loop over a picture in one bucket, and a bucket that is nobody's business."""
    images, private = rig.bucket(), rig.bucket()
    for bucket in (images, private):
        for key in (
            "night/a b.jpg",
            "night/a b.mask.png",
            "other/c.jpg",
            "root.jpg",
            "reviews/output.json",
        ):
            rig.s3.put_object(Bucket=bucket, Key=key, Body=f"{bucket} {key}".encode())
    flow = rig.flow(bucket=images)
    flow.start(content={"taskObject": f"s3://{images}/night/a b.jpg"})
    return flow, private


def _bench(rig: Rig, flow: Flow, template: str, task_input: Any, path: str = "preview") -> httpx.Response:
    return _try(rig, flow, {"template": template, "input": json.dumps(task_input)}, path)


def _try(rig: Rig, flow: Flow, fields: dict[str, str], path: str) -> httpx.Response:
    name = rig.name("owner")
    _, password = rig.review.accounts.add(name, flow.team, owner=True)
    http = Person(rig.url, name, password or "").http
    return http.post(f"/owner/templates/{path}", data=fields | {"csrf_token": http.headers["x-csrf-token"]})


SHOW = "<crowd-form>{{ task.input.image | grant_read_access }}</crowd-form>"


def test_an_owner_at_the_bench_reads_what_workers_are_shown_and_nothing_else(
    rig: Rig, places: tuple[Flow, str]
):
    flow, private = places
    for key in ("night/a b.jpg", "night/a b.mask.png", "reviews/output.json"):
        page = _bench(rig, flow, SHOW, {"image": f"s3://{flow.bucket}/{key}"})
        url = page.text.partition("<crowd-form>")[2].partition("<")[0].replace("&amp;", "&")
        assert httpx.get(url).text == f"{flow.bucket} {key}"
    for bucket, key in ((private, "night/a b.jpg"), (flow.bucket, "other/c.jpg"), (flow.bucket, "root.jpg")):
        page = _bench(rig, flow, SHOW, {"image": f"s3://{bucket}/{key}", "and": [f"s3://{bucket}/{key}"]})
        assert "X-Amz-Signature" not in page.text
        for told in (f"s3://{bucket}/{key}", "--read-prefix", READ_PREFIXES):
            assert told in page.text
        assert bucket not in page.headers["content-security-policy"]


def test_a_setting_opens_a_prefix_and_not_its_neighbours(rig: Rig, places: tuple[Flow, str]):
    _, private = places
    access = ReadAccess(rig.review.database, ObjectStore(rig.review.settings), [f"s3://{private}/night"])
    grant = access.for_bench()
    url = grant(S3Location(private, "night/a b.jpg"))
    assert httpx.get(url).status_code == 200
    for key in ("nightly/a.jpg", "night", "other/c.jpg", "root.jpg"):
        with pytest.raises(ValueError, match="--read-prefix"):
            grant(S3Location(private, key))
    assert read_prefixes({READ_PREFIXES: "s3://a-bucket/x/, s3://other"}) == (
        "s3://a-bucket/x/",
        "s3://other",
    )
    with pytest.raises(ValueError, match="--read-prefix"):
        ReviewSettings(Path("x"), read_prefixes=("bucket/x",))


def _frame(flow: Flow, content: Any) -> httpx.Response:
    """The frame of a worker who takes a new loop's task."""
    flow.start(content=content)
    worker = flow.rig.worker(flow.team)
    work = worker.http.get(f"/work/{worker.take(flow)['task_id']}").text
    return worker.http.get("/frame/" + work.partition('src="/frame/')[2].partition('"')[0])


def _told(flow: Flow) -> str:
    """What the owner of a flow definition hears of it."""
    said = select(Complaint.message).join(FlowDefinition, FlowDefinition.id == Complaint.queue_id)
    with flow.rig.review.database.read() as session:
        return "\n".join(session.scalars(said.where(FlowDefinition.name == flow.name)))


def test_a_task_shows_what_its_loop_names_and_what_lies_beside_it(rig: Rig, places: tuple[Flow, str]):
    _, private = places
    folder = f"s3://{private}/night/"
    built = "<crowd-form>{{ task.input.start | append: 'a b.mask.png' | grant_read_access }}</crowd-form>"
    flow = rig.flow(content=built + SHOW)
    page = _frame(flow, {"start": folder, "image": f"{folder}a b.jpg"})
    urls = [text.partition("<")[0].replace("&amp;", "&") for text in page.text.split("<crowd-form>")[1:]]
    assert [httpx.get(url).text for url in urls] == [
        f"{private} night/a b.mask.png",
        f"{private} night/a b.jpg",
    ]
    assert {httpx.request(method, urls[0]).status_code for method in ("PUT", "POST", "DELETE")} <= {403, 405}
    # The same template on a loop that names the bucket alone: what it makes up is not that loop's.
    page = _frame(rig.flow(content=built), {"start": f"s3://{private}/night/../"})
    assert "X-Amz-Signature" not in page.text
    flow = rig.flow(content=built)
    page = _frame(flow, {"start": f"s3://{private}/"})
    assert "X-Amz-Signature" not in page.text
    assert f"s3://{private}/a b.mask.png may not be shown" in _told(flow)


@pytest.mark.parametrize(
    ("value", "shown", "hidden"),
    [
        (
            {"a": [{"b": "s3://bucket/n/a.jpg"}]},
            ["n/a.jpg", "n/b.png", "n/deep/er.png"],
            ["m/a.jpg", "x", "nn/a"],
        ),
        ({"a": "s3://bucket/a.jpg"}, ["a.jpg"], ["b.jpg", "n/a.jpg"]),
        ({"a": "s3://bucket/"}, [], ["a.jpg", "n/a.jpg"]),
        ({"a": "s3://bucket/n/"}, ["n/a.jpg"], ["a.jpg"]),
        ({"a": "s3://bucket/n/a.jpg,s3://bucket/m/b.jpg"}, ["n/a.jpg", "m/b.jpg"], ["o/a.jpg"]),
        ({"s3Object": {"bucket": "bucket", "name": "n/a.jpg"}}, ["n/a.jpg"], ["m/a.jpg"]),
        ({"S3Object": {"Bucket": "bucket", "Name": "a.jpg"}}, ["a.jpg"], ["b.jpg"]),
        ({"a": "https://bucket.s3.amazonaws.com/n/a%20b.jpg"}, ["n/a b.jpg"], ["m/a"]),
        ({"a": "the bucket is s3://other/n/"}, [], ["n/a.jpg"]),
        ("s3://bucket/n/a.jpg", ["n/a.jpg"], []),
        (7, [], ["a"]),
    ],
)
def test_what_an_input_opens(value: Any, shown: list[str], hidden: list[str]):
    places = named_in(json.dumps(value))
    assert [key for key in shown if not places.hold(S3Location("bucket", key))] == []
    assert [key for key in hidden if places.hold(S3Location("bucket", key))] == []
    assert not places.hold(S3Location("another", "n/a.jpg"))


def test_a_bucket_in_the_settings_is_open_as_a_whole():
    assert below(["s3://bucket"]).hold(S3Location("bucket", "a/b.jpg"))
    assert below(["s3://bucket/"]).hold(S3Location("bucket", "b.jpg"))
    assert not below(["s3://bucket"]).hold(S3Location("bucket-2", "b.jpg"))


@pytest.mark.parametrize(
    "text", ["s3://bkt", "s3://bkt/", "bkt/key", "", "s3://bkt/../x", "s3://bkt/" + "k" * 9_000]
)
def test_what_names_no_object_is_told_to_the_author(rig: Rig, text: str):
    reply = rig.sagemaker.render_ui_template(
        UiTemplate={"Content": "{{ task.input | grant_read_access }}"},
        Task={"Input": json.dumps(text)},
        RoleArn=ROLE,
    )
    assert reply["RenderedContent"] == ""
    message = reply["Errors"][0]["Message"]
    assert message.startswith("grant_read_access: ")
    assert re.search(r"write s3://bucket/key|S3 location", message)


def test_half_a_character_is_no_fault_of_the_server(rig: Rig):
    flow = rig.flow(content="<crowd-form>[{{ task.input.text }}]</crowd-form>")
    frame = _frame(flow, '{"text": "\\ud800"}')
    assert frame.status_code == 200
    assert "[?]" in frame.text


def test_a_template_that_takes_too_much_is_an_error_of_the_api_the_frame_and_the_bench(rig: Rig):
    greedy = "<crowd-form>{{ (1..99999999999) | sort }}</crowd-form>"
    told = "more than 512 MiB of memory"
    reply = rig.sagemaker.render_ui_template(
        UiTemplate={"Content": greedy}, Task={"Input": "{}"}, RoleArn=ROLE
    )
    assert told in reply["Errors"][0]["Message"]
    flow = rig.flow(content=greedy)
    frame = _frame(flow, {})
    assert (frame.status_code, "cannot be shown" in frame.text) == (200, True)
    assert told in _told(flow)
    assert told in _bench(rig, flow, greedy, {}).text
    assert told in _bench(rig, flow, greedy, {}, "check").json()["findings"][0]["message"]
    assert httpx.get(f"{rig.url}/_nightloop/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("template", "task_input", "why"),
    [("x" * 128_001, "{}", "128,000"), ("x", "[" * 100_000, "JSON")],
)
def test_the_bench_takes_no_more_than_the_api(rig: Rig, template: str, task_input: str, why: str):
    flow = rig.flow()
    for path in ("preview", "check"):
        reply = _try(rig, flow, {"template": template, "input": task_input}, path)
        assert (reply.status_code, why in reply.text) == (400, True)


def _held_kib() -> int:
    line = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert line
    return int(line[1])
