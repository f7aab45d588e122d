"""A sample of every crash and every damage of the durable log; ``make sim-disk`` plays them all."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from director.runtime import kept_file
from director.runtime.kept_file import KeptFile
from director.storage import recovery
from tests.storage.exhaustive import campaign, crashes, damage
from tests.storage.exhaustive.crashes import Crash, Loss
from tests.storage.exhaustive.damage import Damage, Kind
from tests.storage.exhaustive.images import NAMES
from tests.storage.faulty_files import FaultyFile
from tests.support.sweep import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

# Prime, so that a sample is of all kinds: of calls, bits of a byte, bytes of a record.
CRASH_STRIDE = 149
DAMAGE_STRIDE = 1_499


def played(pieces: Sequence[campaign.Piece]) -> Tally:
    tally = Tally()
    for piece in pieces:
        tally.add(campaign.play(piece))
    return tally


def endings(tally: Tally, kind: str) -> set[str]:
    return {ending for each, ending in tally.counts if each == kind}


def test_a_sample_of_crashes_loses_nothing_that_was_synced() -> None:
    tally = played(campaign.crash_pieces(range(1), CRASH_STRIDE))

    assert tally.wrong == []
    for loss in Loss:
        assert tally.counts[f"crash, {loss}", "recovered"] > 20
    assert tally.counts["crash, and again in the recovery", "recovered"] > 50


def test_a_sample_of_damage_is_refused_or_cut_or_lies_in_unused_space() -> None:
    tally = played(campaign.damage_pieces(DAMAGE_STRIDE))

    assert tally.wrong == []
    assert endings(tally, "log, log: bit") == {"refused", "harmless"}
    assert endings(tally, "snapshot, snapshot: bit") == {"refused"}
    assert endings(tally, "log, identity: bit") == {"refused"}
    assert endings(tally, "torn, log: short") == {"cut"}
    assert endings(tally, "log, synced: bit") == {"harmless"}


def test_the_whole_campaign_is_every_bit_and_byte_of_64_kib() -> None:
    cases: dict[tuple[str, Kind], int] = {}
    for piece in campaign.damage_pieces(1):
        if isinstance(piece, campaign.DamagePiece):
            key = (f"{piece.image} {piece.path.split('/')[0]}", piece.kind)
            cases[key] = cases.get(key, 0) + len(piece.numbers)

    assert cases["snapshot snapshots", Kind.BIT] > 8 * 65_536
    assert cases["snapshot snapshots", Kind.SHORT] > 65_536
    # The log's directory holds four segments of 16 KiB and the side file.
    assert cases["log log", Kind.BIT] > 8 * 65_536
    assert cases["log log", Kind.ZEROS] > 65_536
    assert {name for name, _ in cases} >= {"torn log", "torn-bare log", "bare log", "log identity"}


def test_a_stale_identity_does_not_found_the_log_again() -> None:
    # It says that there never was a log here. Founding one would forget votes.
    for name in ("log", "snapshot"):
        for kind in (Kind.STALE, Kind.GONE):
            assert damage.play(Damage(name, "identity", kind, 0)) == "refused"


@pytest.mark.parametrize("name", NAMES)
def test_an_image_says_undamaged_what_was_put_into_it(name: str) -> None:
    assert len(damage.paths(name)) >= 1


def test_a_case_is_named_by_its_text() -> None:
    crash = Crash(0, 20, 60, Loss.CUT, 2)
    done = Damage("torn", "log/0000000000000001.wal", Kind.BIT, 12_000)

    assert Crash.parse(str(crash)) == crash
    assert crashes.play_one(crash) == "recovered"
    assert Damage.parse(str(done)) == done


@pytest.mark.parametrize("text", ["log:identity:bit:99999", "log:identity:burnt:0", "log:identity"])
def test_damage_that_does_not_exist_is_turned_down(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Damage.parse(text)


def test_a_sync_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaultyFile, "datasync", lambda _file: None)

    assert crashes.play_piece(crashes.Piece(0, 60, 7, 0)).wrong


def test_a_value_that_is_read_before_its_name_is_durable_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(KeptFile, "read", _without_sync(KeptFile.read))

    assert crashes.play_piece(crashes.Piece(0, 5, 1, 0)).wrong


def test_a_recovery_that_takes_every_damage_for_a_tear_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "looks_torn", lambda _content, _offset: True)

    assert played(campaign.damage_pieces(DAMAGE_STRIDE)).wrong


def _without_sync(read: object) -> object:
    import inspect  # noqa: PLC0415 - for one test

    source = textwrap.dedent(inspect.getsource(read))  # type: ignore[arg-type]
    line = "self._files.sync_directory(self.path.parent)"
    assert line in source
    namespace: dict[str, object] = {}
    code = compile(source.replace(line, "pass"), "without sync", "exec")
    exec(code, vars(kept_file), namespace)  # noqa: S102 - our own source
    return namespace["read"]
