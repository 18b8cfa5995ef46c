"""What owners see of one queue and do to it, by HTTP: who holds what, who differs, one item, exports."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from include.review_server.clock import iso
from include.review_server.db.models import HumanLoop
from include.review_server.portal import owner_answers, owner_export, owner_sample, owner_tally
from include.review_server.portal.owner_given import LONGEST
from tests.review_server.rig import Flow, Person, Rig

CAT, DOG = ({"crowd-image-classifier": {"label": name}} for name in ("cat", "dog"))


class Owner(Person):
    """An owner, and the pages of a flow definition."""

    def of(self, flow: Flow, path: str = "", **query: str) -> str:
        """A page's text, its white space made one space each."""
        reply = self.http.get(f"/owner/flows/{flow.name}{path}", params=query)
        assert reply.status_code == 200, reply.text
        return " ".join(reply.text.split())

    def act(self, flow: Flow, action: str, **fields: str) -> httpx.Response:
        token = {"csrf_token": self.http.headers["x-csrf-token"]}
        return self.http.post(f"/owner/flows/{flow.name}/{action}", data=token | fields)


@pytest.fixture
def owner(rig: Rig) -> Owner:
    name = rig.name("owner")
    password = rig.review.accounts.add(name, rig.name("team"), True)[1]
    assert password is not None
    return Owner(rig.url, name, password)


def answer(person: Person, flow: Flow, content: Any, seconds: float = 5, **more: Any) -> dict[str, Any]:
    task: dict[str, Any] = person.take(flow)
    body = {"answer_content": content, "active_seconds": seconds, **more}
    reply = person.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body)
    assert reply.status_code == 200, reply.text
    return task


def item(rig: Rig, flow: Flow, name: str = "") -> tuple[int, int]:
    """A loop's item and its queue."""
    query = select(HumanLoop).where(HumanLoop.name == name if name else HumanLoop.id > 0)
    with rig.review.database.read() as session:
        loop = session.scalars(query.order_by(HumanLoop.id.desc())).first()
        assert loop is not None
        return loop.id, loop.queue_id


def part(page: str, heading: str) -> str:
    """One section of a page."""
    found = re.search(rf'<section aria-labelledby="{heading}".*?</section>', page)
    return found[0] if found else ""


def test_who_holds_what_what_waits_and_what_is_done_when(rig: Rig, owner: Owner):
    flow = rig.flow(TaskCount=1, TaskAvailabilityLifetimeInSeconds=7_200)
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    with rig.clock.stopped():
        first, *_ = [flow.start() for _ in range(4)]
        deadline = rig.clock() + timedelta(hours=2)
        held = ada.take(flow)
        rig.clock.advance(600)
        answer(bo, flow, CAT)
        page = owner.of(flow)
        assert ada.name in part(page, "held")
        assert first in part(page, "held")
        assert "10 min" in part(page, "held")
        assert held["expires_at"] in part(page, "held")
        now = part(page, "now")
        tiles = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", now))
        assert tiles == {"Waiting": "2", "In hand": "1", "Answers, last hour": "1", "Oldest open": "10 min"}
        assert first in re.sub(r".*data-key=\"oldest\"", "", now)
        assert f'offered until <strong><time datetime="{iso(deadline)}"' in now
        # One answer that was begun just now is sixty an hour at most: three are left.
        assert "<strong>60</strong> answers an hour" in now
        end = rig.clock() + timedelta(minutes=3)
        assert f'is done on <strong><time datetime="{iso(end)}"' in now
    ada.do("return", held)
    assert not part(owner.of(flow), "held")


def test_the_live_part_is_sent_again_only_when_something_has_changed(rig: Rig, owner: Owner):
    flow = rig.flow()
    with rig.clock.stopped():
        flow.start()
        address = f"/owner/flows/{flow.name}/now"
        first = owner.http.get(address)
        assert first.status_code == 200
        assert "<html" not in first.text
        again = {"if-none-match": first.headers["etag"]}
        same = owner.http.get(address, headers=again)
        assert (same.status_code, same.text) == (304, "")
        flow.start()
        changed = owner.http.get(address, headers=again)
        assert changed.status_code == 200
        assert "<dt>Waiting</dt><dd>2</dd>" in changed.text


def test_two_who_say_cat_and_dog_stand_at_the_top(rig: Rig, owner: Owner):
    flow = rig.flow(TaskCount=2)
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    agreed, disputed = (
        flow.start(content={"initialValue": "dog"}),
        flow.start(content={"initialValue": "dog"}),
    )
    for person, second in ((ada, CAT), (bo, DOG)):
        answer(person, flow, DOG)
        answer(person, flow, second)
    page = owner.of(flow)
    agreement = part(page, "agreement")
    assert "Agreement: 50 %" in agreement
    assert disputed in agreement
    assert agreed not in agreement
    assert f"<strong>{ada.name}</strong>: cat" in agreement
    assert f"<strong>{bo.name}</strong>: dog" in agreement
    assert "> 1</td>" in part(page, "classes").split("cat</td>")[1]
    assert part(page, "workers").count("50 %") == 2
    lines = owner.of(flow, "/answers", order="apart")
    assert lines.index(disputed) < lines.index(agreed)
    one = owner.of(flow, f"/items/{item(rig, flow, disputed)[0]}")
    assert f"{ada.name}: answered" in one
    assert "<strong>cat</strong>" in one
    assert "100 % apart from the others" in one


def test_without_a_model_too_the_page_tells_how_often_and_on_how_many_items_each_class_was_given(
    rig: Rig, owner: Owner, monkeypatch: pytest.MonkeyPatch
):
    def rows() -> list[tuple[str, ...]]:
        row = r"<th scope=\"row\"[^>]*>([^<]*)</th> <td><meter[^>]*></meter> (\d+)</td> <td[^>]*>(\d+)"
        return re.findall(row, part(owner.of(flow), "by-class"))

    monkeypatch.setattr(owner_tally, "_MOST_CLASSES", 2)
    flow = rig.flow(TaskCount=2)
    for _ in range(2):
        flow.start()
    ada, bo = [rig.worker(flow.team) for _ in range(2)]
    assert not part(owner.of(flow), "by-class"), "nobody has said anything"
    box = {"label": "cat", "left": 1, "top": 1, "width": 9, "height": 9}
    dog = box | {"label": "<dog>", "left": 50}
    answer(ada, flow, {"annotatedResult": {"boundingBoxes": [box, dog, dog | {"top": 30}]}})
    answer(bo, flow, {"annotatedResult": {"boundingBoxes": [box, dog]}})
    assert rows() == [("&lt;dog&gt;", "3", "1"), ("cat", "2", "1")]
    answer(ada, flow, {"crowd-image-classifier": {"label": "cat"}})
    assert rows() == [("&lt;dog&gt;", "3", "1"), ("cat", "3", "2")]
    answer(bo, flow, {"text": "x" * LONGEST, "kind": {"label": "bird"}})
    page = part(owner.of(flow), "by-class")
    assert "1 answer is too long to be looked at" in page
    assert "more.</p>" not in page
    flow.start()
    answer(ada, flow, {"kind": {"label": "bird"}})
    assert "and 1 more.</p>" in part(owner.of(flow), "by-class")
    assert not part(owner.of(flow), "classes")


def test_a_worker_who_disagrees_with_those_who_agree_is_flagged_after_enough_comparisons(
    rig: Rig, owner: Owner
):
    flow = rig.flow(TaskCount=3)
    ada, bo, cleo = [rig.worker(flow.team) for _ in range(3)]
    for count in range(10):
        flow.start()
        for person, said in ((ada, CAT), (bo, CAT), (cleo, DOG)):
            answer(person, flow, said)
        flagged = "unlike the others</a>" in part(owner.of(flow), "workers")
        assert flagged == (count == 9)
    row = part(owner.of(flow), "workers").partition(f'data-key="{cleo.id}"')[2]
    assert "unlike the others</a>" in row.partition("</tr>")[0]
    lines = owner.of(flow, "/answers", flag="unlike")
    assert lines.count(f"<td>{cleo.name}</td>") == 10
    assert f"<td>{ada.name}</td>" not in lines


def test_answers_too_fast_comments_declines_with_reasons_and_complaints_are_told(rig: Rig, owner: Owner):
    flow = rig.flow()
    names = [flow.start() for _ in range(3)]
    worker = rig.worker(flow.team)
    answer(worker, flow, CAT, seconds=0.2, comment="<b>half of it</b> is cut off")
    task = worker.take(flow)
    complaint = {"message": "crowd-nonsense <i>is unknown</i>"}
    for _ in range(2):
        reply = worker.http.post(f"/worker/tasks/{task['task_id']}/complaint", json=complaint)
        assert reply.status_code in (200, 204), reply.text
    reason = {"reason": "BadImage", "comment": "black & empty"}
    worker.http.post(f"/worker/tasks/{task['task_id']}/decline", json=reason)
    page = owner.of(flow)
    assert "1 too fast" in part(page, "workers")
    assert "under 1 s" in part(page, "seconds")
    declined = part(page, "declined")
    assert "bad image <strong>1</strong>" in declined
    assert "black &amp; empty" in declined
    assert names[1] in declined
    assert worker.name in declined
    complaints = part(page, "complaints")
    assert "crowd-nonsense &lt;i&gt;is unknown&lt;/i&gt;" in complaints
    assert "2 times" in complaints
    assert names[1] in complaints
    fast = owner.of(flow, "/answers", flag="fast")
    assert names[0] in fast
    assert "&lt;b&gt;half of it&lt;/b&gt;" in fast
    assert "declined: bad image" in owner.of(flow, "/answers", status="declined")


def test_a_released_task_is_told_to_its_worker_and_offered_again(
    rig: Rig, owner: Owner, caplog: pytest.LogCaptureFixture
):
    flow = rig.flow()
    flow.start()
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    task = ada.take(flow)
    assert bo.take(flow) is None
    with caplog.at_level(logging.INFO, "include.review_server"):
        reply = owner.act(flow, "release", task=task["task_id"])
    assert reply.headers["location"] == f"/owner/flows/{flow.name}?done=release"
    assert "Released: " in owner.of(flow, done="release")
    assert any(owner.name in line and task["task_id"] in line for line in caplog.messages)
    assert ada.http.get(f"/work/{task['task_id']}").status_code == 410
    assert ada.do("answer", task, CAT).status_code == 409
    assert bo.take(flow)["item"] == task["item"]
    late = owner.act(flow, "release", task=task["task_id"])
    assert late.status_code == 400
    assert "nobody holds this task any more" in late.text


def test_a_reassigned_task_waits_for_that_worker_alone_until_it_is_offered_to_all(rig: Rig, owner: Owner):
    flow = rig.flow()
    name = flow.start()
    ada, bo, cleo = [rig.worker(flow.team) for _ in range(3)]
    task = ada.take(flow)
    assert f">{bo.name}</option>" in owner.of(flow)
    assert owner.act(flow, "reassign", task=task["task_id"], worker=bo.id).status_code == 303
    assert ada.take(flow) is None
    assert cleo.take(flow) is None
    assert f"waits for {bo.name} alone" in part(owner.of(flow), "kept")
    number, _ = item(rig, flow, name)
    assert f"kept for {bo.name}" in owner.of(flow, f"/items/{number}")
    taken = bo.take(flow)
    assert taken["item"] == name
    assert owner.act(flow, "reassign", task=taken["task_id"], worker=cleo.id).status_code == 303
    assert owner.act(flow, "offer", item=str(number)).status_code == 303
    assert ada.take(flow)["item"] == name


def test_what_was_on_the_page_comes_back_to_who_held_the_task_and_to_nobody_else(rig: Rig, owner: Owner):
    flow = rig.flow()
    flow.start()
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)

    def draft(person: Person, task: dict[str, Any]) -> httpx.Response:
        return person.http.get(f"/worker/tasks/{task['task_id']}/draft")

    task = ada.take(flow)
    address = f"/worker/tasks/{task['task_id']}/draft"
    assert ada.http.put(address, json={"answer_content": CAT}).status_code == 204
    assert owner.act(flow, "release", task=task["task_id"]).status_code == 303
    again = ada.take(flow)
    assert draft(ada, again).json()["answer_content"] == CAT
    assert owner.act(flow, "reassign", task=again["task_id"], worker=bo.id).status_code == 303
    between = bo.take(flow)
    assert draft(bo, between).status_code == 204
    assert owner.act(flow, "reassign", task=between["task_id"], worker=ada.id).status_code == 303
    assert draft(ada, ada.take(flow)).json()["answer_content"] == CAT


def test_a_place_that_was_kept_for_one_worker_does_not_keep_the_others_of_its_item(rig: Rig, owner: Owner):
    flow = rig.flow(TaskCount=2)
    flow.start()
    ada, bo, cleo = [rig.worker(flow.team) for _ in range(3)]
    owner.act(flow, "reassign", task=ada.take(flow)["task_id"], worker=bo.id)
    answer(bo, flow, CAT)
    assert cleo.take(flow) is not None


def test_a_task_is_given_to_nobody_who_cannot_take_it(rig: Rig, owner: Owner):
    flow, other = rig.flow(TaskCount=2), rig.flow()
    flow.start()
    ada, bo, stranger = rig.worker(flow.team), rig.worker(flow.team), rig.worker(other.team)
    answer(bo, flow, CAT)
    task = ada.take(flow)
    for worker, why in [
        (ada.id, "holds this item already"),
        (bo.id, "has answered or declined this item already"),
        (stranger.id, "no member of the team"),
        ("0" * 16, "no member of the team"),
        ("x\0", "no member of the team"),
    ]:
        reply = owner.act(flow, "reassign", task=task["task_id"], worker=worker)
        assert reply.status_code == 400
        assert why in reply.text
    assert owner.act(other, "release", task=task["task_id"]).status_code == 404
    assert owner.act(other, "offer", item=str(item(rig, flow)[0])).status_code == 404
    assert ada.do("answer", task, CAT).status_code == 200


def test_a_paused_queue_offers_nothing_and_what_is_in_hand_may_be_answered(rig: Rig, owner: Owner):
    flow = rig.flow()
    for _ in range(2):
        flow.start()
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    task = ada.take(flow)
    assert owner.act(flow, "pause").status_code == 303
    assert "<strong>Paused.</strong>" in owner.of(flow)
    assert bo.take() is None
    assert ada.do("answer", task, CAT).status_code == 200
    assert ada.take() is None
    overview = owner.http.get("/owner").text
    assert "paused" in overview.split(f"/owner/flows/{flow.name}")[1].split("</tr>")[0]
    assert owner.act(flow, "resume").status_code == 303
    assert bo.take() is not None


def test_what_has_priority_is_offered_first(rig: Rig, owner: Owner):
    older, newer = rig.flow(), rig.flow()
    worker = rig.worker(older.team, newer.team)
    for flow in (older, newer):
        flow.start()
    assert owner.act(newer, "priority", priority="5").status_code == 303
    assert 'value="5"' in part(owner.of(newer), "now")
    assert worker.take()["queue"] == f"flow-definition/{newer.name}"
    for wrong in ("", "a", "101", "-101", "1.5", "٣"):
        assert owner.act(newer, "priority", priority=wrong).status_code == 400


def test_only_owners_with_the_pages_own_form_change_anything(rig: Rig, owner: Owner):
    flow = rig.flow()
    flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    fields = {"task": task["task_id"], "worker": worker.id, "priority": "3", "item": "1"}
    for action in ("pause", "resume", "priority", "release", "reassign", "offer"):
        address = f"/owner/flows/{flow.name}/{action}"
        for person, token in ((owner, ""), (owner, "wrong"), (worker, worker.http.headers["x-csrf-token"])):
            assert person.http.post(address, data=fields | {"csrf_token": token}).status_code == 403
        assert owner.http.get(address).status_code in (404, 405)
    assert worker.take(flow)["task_id"] == task["task_id"]
    assert 'value="0"' in part(owner.of(flow), "now")


def test_only_owners_see_anything(rig: Rig, owner: Owner):
    flow = rig.flow()
    worker = rig.worker(flow.team)
    for path in ("", "/now", "/answers", "/answers.csv", "/answers.json", "/items/1"):
        assert worker.http.get(f"/owner/flows/{flow.name}{path}").status_code == 403
        assert httpx.get(f"{rig.url}/owner/flows/{flow.name}{path}").status_code == 303
        for kind in ("flows", "labeling-jobs"):
            assert owner.http.get(f"/owner/{kind}/no-such-one{path}").status_code == 404


def test_an_item_that_is_not_there_or_of_another_queue_is_not_shown(rig: Rig, owner: Owner):
    flow, other = rig.flow(), rig.flow()
    there, _ = item(rig, other, other.start())
    for number in ("0", str(there), "9" * 18, "9" * 30, "-1", "x", "%C2%B2"):
        assert owner.http.get(f"/owner/flows/{flow.name}/items/{number}").status_code == 404


def test_the_items_picture_is_signed_and_the_page_may_load_it_alone(rig: Rig, owner: Owner):
    flow = rig.flow()
    rig.s3.put_object(Bucket=flow.bucket, Key="night/a;b 'c.jpg", Body=b"picture")
    box = {"label": "<dog>", "left": 4, "top": 5, "width": 10, "height": 8}
    image = f"s3://{flow.bucket}/night/a;b 'c.jpg"
    number, _ = item(rig, flow, flow.start(content={"taskObject": image, "initialValue": [box]}))
    worker = rig.worker(flow.team)
    drawn = {"boundingBoxes": [box | {"label": "cat", "left": 6.5}]}
    answer(worker, flow, {"annotatedResult": drawn | {"inputImageProperties": {"width": 64, "height": 40}}})
    reply = owner.http.get(f"/owner/flows/{flow.name}/items/{number}")
    found = re.search(r'<img src="([^"]+)"', reply.text)
    assert found is not None
    address = found[1].replace("&amp;", "&").replace("&#39;", "'")
    assert httpx.get(address).content == b"picture"
    policy = reply.headers["content-security-policy"]
    assert f"img-src 'self' {address.partition('?')[0]};" in policy
    assert 'viewBox="0 0 64.0 40.0"' in reply.text
    assert '<rect x="4.0"' in reply.text
    assert '<rect x="6.5"' in reply.text
    assert "1 &lt;dog&gt;" in reply.text
    assert "<dog>" not in reply.text
    elsewhere, _ = item(rig, flow, flow.start(content={"taskObject": "a text/x.jpg"}))
    assert "<img" not in owner.of(flow, f"/items/{elsewhere}")


def test_lists_are_paged_and_filtered(rig: Rig, owner: Owner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_answers, "PAGE", 2)
    flow = rig.flow()
    names = [flow.start() for _ in range(5)]
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    for person in (ada, ada, bo, ada, bo):
        answer(person, flow, CAT, seconds=0.1)
    for query, expected in [
        ({}, names),
        ({"worker": ada.id}, [names[0], names[1], names[3]]),
        ({"flag": "fast"}, names),
        ({"flag": "fast", "worker": bo.id}, [names[2], names[4]]),
        ({"flag": "comment"}, []),
        ({"order": "apart"}, []),
        ({"status": "declined"}, []),
    ]:
        seen: list[str] = []
        address: str | None = f"/owner/flows/{flow.name}/answers?{httpx.QueryParams(query)}"
        while address:
            page = owner.http.get(address).text
            shown = re.findall(r'/items/\d+">([^<]+)</a>', page)
            assert len(shown) <= 2
            seen += shown
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = following[1].replace("&amp;", "&") if following else None
        assert seen == expected[::-1]
    for wrong in ("worker=x", "flag=x", "status=x", "order=x", "after=1-2", "after=%00"):
        assert owner.http.get(f"/owner/flows/{flow.name}/answers?{wrong}").status_code == 400


def test_exports_have_every_answer_and_run_nothing_in_a_spreadsheet(
    rig: Rig, owner: Owner, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(owner_export, "_PAGE", 3)
    monkeypatch.setattr(owner_export, "_MOST_CHARACTERS", 50)
    flow = rig.flow()
    assert owner.http.get(f"/owner/flows/{flow.name}/answers.json").json() == []
    assert len(owner.http.get(f"/owner/flows/{flow.name}/answers.csv").text.splitlines()) == 1
    names = [flow.start() for _ in range(5)]
    worker = rig.worker(flow.team, name=f"=HYPERLINK(1),{rig.name('x')}")
    for number in range(5):
        answer(worker, flow, {"text": f'a "quoted"\nline {number}'}, comment="@SUM(1+1)", seconds=0)
    exported = {kind: owner.http.get(f"/owner/flows/{flow.name}/answers.{kind}") for kind in ("csv", "json")}
    for kind, reply in exported.items():
        assert reply.headers["content-disposition"] == f'attachment; filename="{flow.name}.{kind}"'
    rows = list(csv.DictReader(io.StringIO(exported["csv"].text)))
    assert [row["item"] for row in rows] == names
    assert {row["worker"] for row in rows} == {f"'{worker.name}"}
    assert {row["comment"] for row in rows} == {"'@SUM(1+1)"}
    assert {row["tooFast"] for row in rows} == {"true"}
    assert [json.loads(row["answer"])["text"][-1] for row in rows] == list("01234")
    found = exported["json"].json()
    assert [one["answer"]["text"][-1] for one in found] == list("01234")
    assert {one["worker"] for one in found} == {worker.name}


def test_what_a_spreadsheet_may_take_for_a_formula_is_a_text():
    unseen = ["", *" \t\r\n\x00\xa0\u200b\u202e\u3000\ufeff", "\ufeff "]
    signs = "=+-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\u207a\u207b\u2212"
    texts = [f"{before}{sign}1+1" for before in unseen for sign in signs]
    assert [owner_export.cell(text) for text in texts] == [f"'{text}" for text in texts]


def test_other_cells_stay_as_they_are():
    cells = {"a=1": "a=1", "": "", " ": " ", '{"a":"=1"}': '{"a":"=1"}', "a - x": "a - x"}
    assert {text: owner_export.cell(text) for text in cells} == cells
    assert [owner_export.cell(value) for value in (-1.5, True, None)] == ["-1.5", "true", ""]


def test_an_export_has_so_many_characters_in_memory_or_one_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_export, "_MOST_CHARACTERS", 6)
    lengths = {"a": 3, "b": 3, "c": 9, "d": 1}
    parts = owner_export.fitting([(name, {}, length) for name, length in lengths.items()])
    assert [list(part) for part in parts] == [["a", "b"], ["c"], ["d"]]


def test_much_to_compare_is_done_in_several_looks(rig: Rig, owner: Owner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_sample, "_MOST_EFFORT", 1)
    flow = rig.flow(TaskCount=2)
    people = [rig.worker(flow.team) for _ in range(2)]
    names = [flow.start() for _ in range(2)]
    box = {"label": "cat", "left": 1, "top": 1, "width": 9, "height": 9}
    for person, left in zip(people, (1, 50), strict=True):
        for _ in names:
            answer(person, flow, {"annotatedResult": {"boundingBoxes": [box | {"left": left}]}})
    first, second = owner.of(flow), owner.of(flow)
    assert "There is much to compare" in first
    assert [name in part(first, "agreement") for name in names] == [False, True]
    assert "There is much to compare" not in second
    assert all(name in part(second, "agreement") for name in names)


def test_answers_heaped_on_one_spot_are_told_instead_of_compared(rig: Rig, owner: Owner):
    flow = rig.flow(TaskCount=2)
    flow.start()
    for label in "ab":
        heap = [{"label": label, "left": x / 10, "top": 1, "width": 90, "height": 9} for x in range(300)]
        answer(rig.worker(flow.team), flow, {"r": {"boundingBoxes": heap}})
    assert "2 answers have too many boxes on one spot" in owner.of(flow)
    assert "too much to be compared" in owner.of(flow, f"/items/{item(rig, flow)[0]}")


def test_answers_taken_back_count_no_more(rig: Rig, owner: Owner):
    flow = rig.flow(TaskCount=2)
    flow.start()
    worker = rig.worker(flow.team)
    task = answer(worker, flow, CAT)
    assert '<td class="number">1</td>' in part(owner.of(flow), "workers")
    assert worker.http.post(f"/worker/tasks/{task['task_id']}/undo").status_code == 200
    page = owner.of(flow)
    assert "Nobody has answered yet." in part(page, "workers")
    assert worker.name in part(page, "held")
