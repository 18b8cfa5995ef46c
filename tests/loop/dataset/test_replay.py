"""Half of what is shown again is hard for the champion, the other half balances the classes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.aws.jobs import Pending
from include.loop.config import ReplaySettings, TrainingSettings
from include.loop.core import layout
from include.loop.core.records.dataset import Dataset, ReplayChoice
from include.loop.dataset import build, replay
from include.loop.dataset.label_pool import gather
from include.loop.dataset.replay import choose
from include.loop.models.champion import read_champion
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage, ManifestBox
from include.loop.tasks.detection.predictions import Detection
from include.loop.training.job import train
from tests.loop.labelled import INITIAL, line, lines, read, set_champion, shard, sources
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place

KNOWN = st.dictionaries(st.text(min_size=1), st.lists(st.integers(0, 3), max_size=4), max_size=30)


@given(KNOWN, st.integers(0, 40), st.data())
def test_the_choice_is_as_large_as_it_can_be_and_half_of_it_hard(known, count, data):
    hard = data.draw(st.dictionaries(st.sampled_from(sorted(known)), st.floats(0, 1))) if known else {}
    chosen = choose(known, [], hard, count, "salt")
    assert len(chosen) == len(set(chosen)) == min(count, len(known))
    assert set(chosen) <= known.keys()
    hardest = sorted((value for value in hard.values() if value > 0), reverse=True)[: count // 2]
    assert sorted((hard.get(key, 0) for key in chosen), reverse=True)[: len(hardest)] == hardest
    assert chosen == choose(dict(reversed(known.items())), [], hard, count, "salt")


def test_the_rest_balances_the_classes_with_what_is_new():
    known = {f"{name}-{number}": [name] for name in range(4) for number in range(50)}
    new = [[0]] * 20 + [[1]] * 10
    seen = Counter(known[key][0] for key in choose(known, new, {}, 50, "salt"))
    assert seen == {1: 10, 2: 20, 3: 20}


def test_a_rare_class_is_shown_and_so_is_an_image_without_anything():
    known = {f"common-{number}": [0, 0] for number in range(500)} | {"rare": [1], "nothing": []}
    assert {"rare", "nothing"} <= set(choose(known, [], {}, 10, "salt"))


def test_another_salt_shows_other_images():
    known = {str(number): [0] for number in range(100)}
    assert choose(known, [], {}, 20, "one") != choose(known, [], {}, 20, "other")


def image(*boxes: ManifestBox) -> LabelledImage:
    return LabelledImage("s3://b/1.jpg", 100, 50, boxes, "", {})


CAT = ManifestBox(0, 10, 5, 20, 10)
FOUND = Detection(0, 0.8, 0.1, 0.1, 0.3, 0.3)
ELSEWHERE = Detection(0, 0.9, 0.6, 0.6, 0.9, 0.9)
OTHER_CLASS = dataclasses.replace(FOUND, class_id=1, score=0.9)
FAINT = dataclasses.replace(ELSEWHERE, score=0.2)


@pytest.mark.parametrize(
    ("boxes", "detections", "expected"),
    [
        ([CAT], [FOUND], 0.2),
        ([CAT], [], 1),
        ([CAT], [FOUND, FAINT], 0.2),  # what is not believed at work does not count
        ([CAT], [FOUND, ELSEWHERE], 0.6),
        ([CAT], [FOUND, FOUND], 0.6),  # each object is found once
        ([CAT], [OTHER_CLASS], 1),
        ([CAT, CAT], [FOUND, FOUND], 0.2),
        ([], [], 0),
        ([], [FAINT], 0),
        ([], [FOUND], 1),
    ],
)
def test_difficulty_is_what_the_champion_misses_or_invents(boxes, detections, expected):
    assert difficulty(image(*boxes), detections, 0.5) == pytest.approx(expected)


@pytest.fixture
def trained(make_place) -> Place:
    """A champion that finds the object of a bright picture with more confidence than that of a dark one."""
    place = make_place(
        initial=INITIAL,
        training=TrainingSettings(
            initial={"hyperparameters": {"quality": 1}}, replay=ReplaySettings(per_new=1, pool=20)
        ),
    )
    known = [
        line(place, f"{name}-{number}.jpg", patchwork(f"{name}-{number}", brighter=shift))
        for name, shift, count in (("bright", 30, 12), ("dark", -30, 4))
        for number in range(count)
    ]
    place.storage.write_lines(INITIAL["train"], known)
    place.storage.write_lines(INITIAL["validation"], lines(place, "validation", 2))
    built = build.build_initial(place.workspace).dataset_id
    set_champion(place, built, model_data=place.finish(train, built).model_data)
    return place


def score(place: Place) -> replay.ScoredReplay:
    answer = replay.score(place.workspace)
    while isinstance(answer, Pending):
        place.wait(answer)
        answer = replay.score(place.workspace, waited_for=answer)
    return answer


def test_the_champion_says_what_is_hard_and_it_is_shown_again(trained: Place):
    shard(trained, NIGHT, lines(trained, "n", 10))
    # Not built yet: with scores the same labels may be chosen, and those would then be the same dataset.
    unscored = replay.choose_replay(gather(trained.workspace))
    assert unscored.record == ReplayChoice(choose="balanced", per_new=1, scored=0)

    # Another batch that was set aside is not looked at, neither here nor there.
    shard(trained, "2026-10-31", lines(trained, "bad", 10))
    bad: dict[str, Any] = {"training_job": "bad", "champion": "job-1", "shards": ["2026-10-31"]}
    bad |= {"outcome": "harm", "kind": "round", "blamed": [], "failed": [], "at": "2026-11-01T06:00:00+00:00"}
    trained.storage.write_json(layout.trial_file("bad"), bad)
    assert replay.choose_replay(gather(trained.workspace)) == unscored

    scored = score(trained)
    assert (scored.scored, scored.missing) == (16, 0)
    before = trained.cloud.requests()["CreateTransformJob"]
    assert score(trained) == scored
    assert trained.cloud.requests()["CreateTransformJob"] == before

    built = build.build(trained.workspace)
    record = Dataset.read(trained.storage, built.dataset_id)
    assert record.replay
    assert record.replay.scores_uri == scored.scores_uri
    assert (record.replay.choose, record.replay.scored) == ("balanced_hard", 16)
    train = sources(read(trained, built.dataset_id, "train"))
    hard = min(4, built.replayed // 2)
    assert sum(name.startswith("dark") for name in train) >= hard
    assert build.build(trained.workspace) == built


def test_what_the_champion_cannot_read_is_not_shown_again(trained: Place):
    shard(trained, NIGHT, lines(trained, "n", 10))
    trained.put("pictures/dark-0.jpg", b"no image any more")
    scored = score(trained)
    assert (scored.scored, scored.missing) == (15, 1)
    train = read(trained, build.build(trained.workspace).dataset_id, "train")
    assert "dark-0.jpg" not in sources(train)


def test_without_need_nobody_is_asked(trained: Place, make_place):
    nothing = replay.ScoredReplay(0, 0, None)
    before = trained.cloud.requests().get("CreateTransformJob", 0)
    assert score(trained) == nothing  # nothing is new
    shard(trained, NIGHT, lines(trained, "n", 4))
    few = replay.score(trained.workspace, min_new_labels=5)
    assert few == nothing
    settings = trained.pipeline.training.model_copy(update={"replay": ReplaySettings(choose="random")})
    random = trained.but(training=settings)
    assert replay.score(random) == nothing
    built = Dataset.read(trained.storage, build.build(random).dataset_id)
    assert built.replay == ReplayChoice(choose="random", per_new=3, scored=0)
    champion = read_champion(trained.workspace)
    assert champion is not None
    trained.s3.delete_object(Bucket=trained.bucket, Key=f"pets/{layout.CHAMPION}")
    assert score(trained) == nothing
    assert trained.cloud.requests().get("CreateTransformJob", 0) == before
