"""No image is ever in two splits, nor is anything that looks like it, whatever comes in whatever order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from include.loop.core.identity import content_hash, share
from include.loop.core.lookalikes import alike
from include.loop.core.records.splits import Split
from include.loop.dataset.split_rules import Placed, SplitRules, settle

RULES = SplitRules(validation_share=0.4)


def image(name: str, phash: int | None = None, split: Split | None = None, *classes: int) -> Placed:
    """An image; without a phash it resembles nothing."""
    text = None if phash is None else f"{phash:064x}"
    return Placed(content_hash(name, length=64), text, split, frozenset(classes))


def bits(family: int, away: int) -> int:
    """Members of a family are copies when their second numbers are at most 24 apart."""
    return int(content_hash("family", family, length=64), 16) ^ ((1 << away) - 1)


# Families of pictures: members 0, 12, 24, 36, 48 bits away from the first, so that likeness is a chain.
IMAGES = st.builds(
    lambda family, step, copy, wish: image(
        f"{family}/{step}/{copy}", bits(family, 12 * step) if family else None, wish
    ),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 2),
    st.sampled_from([None, None, None, Split.AUDIT, Split.TRAIN, Split.VALIDATION]),
)
SHARDS = st.lists(st.lists(IMAGES, max_size=8), max_size=5)


def add(known: dict[str, Placed], shard: list[Placed], rules: SplitRules = RULES) -> dict[str, Placed]:
    newcomers = {item.sha256: item for item in shard if item.sha256 not in known}
    return known | settle(newcomers.values(), known.values(), rules)


def conflicts(images: list[Placed]) -> list[tuple[Placed, Placed]]:
    trained = [item for item in images if item.split is Split.TRAIN]
    held_out = [item for item in images if item.split and item.split.held_out]
    pairs = alike([item.phash for item in trained], [item.phash for item in held_out])
    return [(trained[one], held_out[other]) for one, other in pairs]


@given(SHARDS, st.booleans(), st.integers(0, 3))
def test_nothing_learned_from_resembles_anything_held_out_over_any_shards(shards, cold, memory):
    known: dict[str, Placed] = {}
    for number, shard in enumerate(shards):
        before = dict(known)
        known = add(known, shard, SplitRules(0.4, cold=cold, retention=memory if number == 0 else 0))
        assert known.items() >= before.items()  # a split is for ever
    assert all(item.split is not None for item in known.values())
    assert not conflicts(list(known.values()))


@given(SHARDS, st.randoms(use_true_random=False))
def test_the_order_of_a_shard_changes_nothing(shards, random):
    one: dict[str, Placed] = {}
    other: dict[str, Placed] = {}
    for shard in shards:
        unique = list({item.sha256: item for item in shard}.values())
        one, other = add(one, unique), add(other, random.sample(unique, len(unique)))
    assert one == other


def test_a_copy_follows_the_image_it_resembles():
    held, trained = image("held", bits(1, 0), Split.VALIDATION), image("trained", bits(2, 0), Split.TRAIN)
    copies = [image(f"copy {n}", bits(1, 20)) for n in range(20)] + [
        image(f"other {n}", bits(2, 20)) for n in range(20)
    ]
    settled = settle(copies, [held, trained], RULES)
    assert Counter((item.split, item.like) for item in settled.values()) == {
        (Split.VALIDATION, held.sha256): 20,
        (Split.TRAIN, trained.sha256): 20,
    }


def test_an_image_between_both_sides_is_used_nowhere():
    held, trained = image("held", bits(1, 0), Split.RETENTION), image("trained", bits(1, 40), Split.TRAIN)
    between = image("between", bits(1, 20))
    assert not list(alike([held.phash], [trained.phash]))
    assert settle([between], [held, trained], RULES)[between.sha256].split is Split.LEFT_OUT
    audit = image("audit", bits(1, 50), Split.AUDIT)
    assert settle([audit], [held, trained], RULES)[audit.sha256].split is Split.LEFT_OUT


def test_what_a_shard_holds_out_wins_over_what_it_learns_from():
    audit, other = image("audit", bits(1, 0), Split.AUDIT), image("other", bits(1, 5), Split.TRAIN)
    settled = settle([other, audit], [], RULES)
    assert (settled[audit.sha256].split, settled[other.sha256].split) == (Split.AUDIT, Split.VALIDATION)


def test_images_without_likeness_part_by_their_content_alone():
    images = [image(str(number)) for number in range(400)]
    settled = settle(images, [], SplitRules(0.1))
    held_out = {item.sha256 for item in settled.values() if item.split is Split.VALIDATION}
    assert held_out == {item.sha256 for item in images if share("side", item.sha256) < 0.1}
    assert 20 < len(held_out) < 60


CLASSED = st.lists(st.frozensets(st.integers(0, 4), max_size=3), max_size=12)


@given(CLASSED)
@settings(max_examples=200)
def test_of_the_first_labels_every_class_with_two_images_that_can_spare_one_holds_one_out(classes):
    images = [image(str(number), None, None, *names) for number, names in enumerate(classes)]
    settled = list(settle(images, [], SplitRules(0.1, cold=True)).values())
    trained = Counter(name for item in settled if item.split is Split.TRAIN for name in item.classes)
    held_out = {name for item in settled if item.split is Split.VALIDATION for name in item.classes}
    for item in settled:
        if item.split is Split.TRAIN and (lacking := item.classes - held_out):
            assert any(trained[name] < 2 for name in item.classes), lacking
    if len(images) > 1:
        assert any(item.split is Split.VALIDATION for item in settled)


@given(st.integers(0, 30), st.integers(0, 12))
def test_half_of_the_first_held_out_images_become_the_memory_set(count, at_most):
    images = [image(str(number), None, Split.VALIDATION) for number in range(count)]
    splits = Counter(item.split for item in settle(images, [], SplitRules(0.1, retention=at_most)).values())
    assert splits[Split.RETENTION] == min(at_most, count // 2)
    assert splits[Split.VALIDATION] == count - splits[Split.RETENTION]


def test_a_test_set_is_never_moved():
    trained = image("trained", bits(1, 0), Split.TRAIN)
    test = image("test", bits(1, 0), Split.TEST)
    assert settle([test], [trained], RULES)[test.sha256] == test
    # What was learned from gives way to it when a dataset is made: see SplitRegister.learnable.
    assert conflicts([trained, test]) == [(trained, test)]
