"""The sample service and its gate: it looks at its permit again after the last blocking call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from regions.sample.chat import Chat
from regions.sample.gate_client import GateClient, Permit
from regions.sample.journal import Journal

OPEN = Permit(may_write=True, generation=1, epoch=4, deadline_ms=1_000, reason="", home="eu-west1")


class ScriptedGate(GateClient):
    """A gate with a permit and a clock that the test sets."""

    def __init__(self, permit: Permit, *readings_ms: int) -> None:
        super().__init__("127.0.0.1:1", "chat")
        self._permit = permit
        self._readings = list(readings_ms)

    def now_ms(self) -> int:
        """The next reading; the last one again and again."""
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "chat.jsonl") as journal:
        yield journal


def _acks(journal: Journal, tmp_path: Path) -> int:
    del journal
    return (tmp_path / "chat.jsonl").read_text().count('"ack"')


@pytest.mark.parametrize(("now_ms", "is_valid"), [(999, True), (1_000, False), (1_001, False)])
def test_a_permit_ends_at_its_deadline_exactly(now_ms: int, is_valid: bool) -> None:
    assert OPEN.is_valid(now_ms=now_ms) is is_valid


def test_a_closed_permit_is_never_valid() -> None:
    closed = Permit(False, 1, 4, 1_000, "NOT_HOME", "eu-north1")

    assert not closed.is_valid(now_ms=0)


def test_a_write_within_the_permit_is_acknowledged_with_its_token(
    journal: Journal, tmp_path: Path
) -> None:
    chat = Chat("eu-west1", ScriptedGate(OPEN, 500), journal, {})

    status, body = chat.write("hello")

    assert status == 200
    assert (body["generation"], body["epoch"], body["region"]) == (1, 4, "eu-west1")
    assert _acks(journal, tmp_path) == 1


def test_a_write_whose_permit_ended_during_the_disk_write_is_not_acknowledged(
    journal: Journal, tmp_path: Path
) -> None:
    # The first look is in time, the one after the durable write is not (A5).
    chat = Chat("eu-west1", ScriptedGate(OPEN, 999, 1_000), journal, {})

    status, body = chat.write("hello")

    assert (status, body["reason"]) == (503, "INDETERMINATE")
    assert journal.length == 1
    assert _acks(journal, tmp_path) == 0


def test_a_write_without_a_permit_is_refused_and_told_where_the_home_is(
    journal: Journal, tmp_path: Path
) -> None:
    closed = Permit(False, 0, 0, 0, "NOT_HOME", "eu-north1")
    chat = Chat("eu-west1", ScriptedGate(closed, 500), journal, {})

    assert chat.write("hello") == (409, {"reason": "NOT_HOME", "home": "eu-north1"})
    assert journal.length == 0
    assert _acks(journal, tmp_path) == 0


def test_an_unhealthy_service_refuses_even_with_a_permit(journal: Journal) -> None:
    chat = Chat("eu-west1", ScriptedGate(OPEN, 500), journal, {})
    chat.healthy = False

    assert chat.write("hello")[0] == 500


def test_the_lag_of_a_copy_that_was_never_compared_is_unknown_and_that_of_the_home_is_zero(
    journal: Journal,
) -> None:
    home = Chat("eu-west1", ScriptedGate(OPEN, 500), journal, {})
    away = Permit(False, 1, 4, 0, "NOT_HOME", "eu-west1")
    copy = Chat("eu-north1", ScriptedGate(away, 500), journal, {})

    assert home.lag() == {"lag_ms": 0}
    assert copy.lag() == {"lag_ms": None}


def test_an_owner_whose_permit_has_ended_does_not_know_how_far_it_is_behind(
    journal: Journal,
) -> None:
    former = Chat("eu-west1", ScriptedGate(OPEN, 1_000), journal, {})

    assert former.lag() == {"lag_ms": None}


def test_a_copy_of_another_home_than_the_gate_names_does_not_know_how_far_it_is_behind(
    journal: Journal,
) -> None:
    gate = ScriptedGate(Permit(False, 1, 4, 0, "NOT_HOME", "eu-west1"), 500)
    copy = Chat("eu-north1", gate, journal, {})
    copy._copied_from, copy._caught_up_at_ms = "eu-west1", 430
    assert copy.lag() == {"lag_ms": 70}

    gate._permit = Permit(False, 1, 5, 0, "NOT_HOME", "us-east1")
    assert copy.lag() == {"lag_ms": None}
