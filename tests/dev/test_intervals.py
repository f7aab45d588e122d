"""The proof over write logs: it finds no fault in right histories, and each fault in wrong ones."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from director.dev.intervals import (
    Acknowledged,
    Loss,
    intervals,
    lost_writes,
    read_acknowledged,
    violations,
)

REGIONS = ("eu-west1", "eu-north1", "us-east1")


@st.composite
def right_histories(draw: st.DrawFn) -> list[Acknowledged]:
    """Owners one after the other, each under a token of its own, never at the same instant."""
    writes = []
    at_ms = draw(st.integers(0, 10_000))
    generation = 1
    for epoch in range(1, draw(st.integers(2, 5)) + 1):
        region = REGIONS[epoch % len(REGIONS)]
        for _ in range(draw(st.integers(1, 5))):
            writes.append(Acknowledged(at_ms, generation, epoch, region))
            at_ms += draw(st.integers(0, 50))
        at_ms += draw(st.integers(1, 5_000))
    return writes


@given(right_histories(), st.randoms(use_true_random=False))
def test_owners_that_follow_one_another_are_no_violation_in_any_order_of_lines(
    writes: list[Acknowledged], random: object
) -> None:
    random.shuffle(writes)  # type: ignore[attr-defined] # hypothesis' own Random

    assert violations(intervals(writes)) == []


@given(right_histories(), st.data())
def test_a_write_acknowledged_after_the_next_owner_began_is_noticed(
    writes: list[Acknowledged], data: st.DataObject
) -> None:
    found = intervals(writes)
    number = data.draw(st.integers(0, len(found) - 2))
    old, new = found[number], found[number + 1]
    late = data.draw(st.integers(new.first_ms, new.last_ms + 1_000))

    mutated = [*writes, Acknowledged(late, old.generation, old.epoch, old.region_id)]

    assert violations(intervals(mutated))


@given(right_histories(), st.data())
def test_two_regions_under_one_token_are_noticed_however_far_apart(
    writes: list[Acknowledged], data: st.DataObject
) -> None:
    victim = data.draw(st.sampled_from(writes))
    other = next(each for each in REGIONS if each != victim.region_id)
    at_ms = data.draw(st.integers(0, 1_000_000))

    mutated = [*writes, Acknowledged(at_ms, victim.generation, victim.epoch, other)]

    assert any("both" in fault for fault in violations(intervals(mutated)))


@given(right_histories(), st.data())
def test_tokens_that_change_places_in_time_are_noticed(
    writes: list[Acknowledged], data: st.DataObject
) -> None:
    found = intervals(writes)
    number = data.draw(st.integers(0, len(found) - 2))
    swap = {
        found[number].epoch: found[number + 1].epoch,
        found[number + 1].epoch: found[number].epoch,
    }

    mutated = [
        Acknowledged(each.at_ms, each.generation, swap.get(each.epoch, each.epoch), each.region_id)
        for each in writes
    ]

    assert violations(intervals(mutated))


def test_the_same_instant_counts_as_an_overlap() -> None:
    writes = [Acknowledged(100, 1, 1, "eu-west1"), Acknowledged(100, 1, 2, "eu-north1")]

    assert len(violations(intervals(writes))) == 1


def test_a_later_generation_outranks_every_epoch_of_an_earlier_one() -> None:
    writes = [Acknowledged(200, 2, 1, "eu-north1"), Acknowledged(100, 1, 9, "eu-west1")]

    assert violations(intervals(writes)) == []


def test_only_acknowledgements_are_read_and_a_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "chat.jsonl"
    log.write_text(
        _line(kind="write", position=1, generation=1, epoch=3, value="a")
        + _line(kind="ack", position=1, generation=1, epoch=3, at_ms=50, region="eu-west1")
        + '{"kind":"ack","position":2,"gener'
    )

    assert list(read_acknowledged([log])) == [Acknowledged(50, 1, 3, "eu-west1")]


def test_an_acknowledged_write_that_the_new_owner_lacks_is_counted_with_its_span(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(
        "".join(
            _line(kind="write", position=each, generation=1, epoch=1, value=f"v{each}")
            + _line(kind="ack", position=each, generation=1, epoch=1, at_ms=100 * each, region="a")
            for each in (1, 2, 3, 4)
        )
    )
    new.write_text(
        _line(kind="copy", position=1, generation=1, epoch=1, value="v1")
        + _line(kind="copy", position=2, generation=1, epoch=1, value="v2")
        + _line(kind="write", position=3, generation=1, epoch=2, value="new")
    )

    assert lost_writes(old, new, below=(1, 2)) == Loss(count=2, span_ms=100)


def test_a_copy_that_has_everything_loses_nothing_and_writes_nobody_acknowledged_do_not_count(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(
        _line(kind="write", position=1, generation=1, epoch=1, value="v1")
        + _line(kind="ack", position=1, generation=1, epoch=1, at_ms=100, region="a")
        + _line(kind="write", position=2, generation=1, epoch=1, value="never acknowledged")
        + _line(kind="copy", position=2, generation=1, epoch=2, value="new")
    )
    new.write_text(
        _line(kind="copy", position=1, generation=1, epoch=1, value="v1")
        + _line(kind="write", position=2, generation=1, epoch=2, value="new")
    )

    assert lost_writes(old, new, below=(1, 2)) == Loss(0, 0)


def _line(**entry: object) -> str:
    return json.dumps(entry) + "\n"
