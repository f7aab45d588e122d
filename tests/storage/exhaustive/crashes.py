"""A crash at every call to the file system of a trace, and a second one in the recovery.

The trace runs once. Before each call the files are copied, the copy crashes in several ways, and
is opened by production code. What it says must be one of the states the model allows, and the log
must go on from there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from director.raft.messages import Entry, EntryKind, HardState
from tests.storage.exhaustive.model import Model
from tests.storage.exhaustive.trace import Trace, model_of, opened, snapshot_payload
from tests.storage.faulty_files import SECTOR_BYTES, FaultyFiles, Inode
from tests.support.sweep import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from director.storage.data_directory import DataDirectory

# The second crash is tried at every call of the recovery after every n-th crash.
SECOND_CRASH_STRIDE = 20


class Loss(StrEnum):
    """What a crash does to what was not synced."""

    NOTHING = "killed"
    """The process is gone and the kernel is not."""
    EVERYTHING = "lost"
    CUT = "cut"
    """Names survive, and of each file what was written up to some byte."""
    SECTORS = "sectors"
    """Names survive, and any of the sectors that differ."""
    NAMES = "names"
    """Bytes survive, and any of the names."""
    SOME_WRITES = "writes"
    """Names survive, and each file as it was after some write."""
    MIXED = "mixed"


class CrashViolationError(AssertionError):
    """A directory came back from a crash and says what it must not."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Where a trace crashes and how. Its text names it."""

    seed: int
    operations: int
    call: int
    """Before which call to the file system, counted from 1."""
    loss: Loss
    second_call: int = 0
    """Before which call of the recovery it crashes again, mixed; 0 if it does not."""

    def __str__(self) -> str:
        return f"{self.seed}:{self.operations}:{self.call}:{self.loss}:{self.second_call}"

    @classmethod
    def parse(cls, text: str) -> Crash:
        """Read what ``str`` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        seed, operations, call, loss, second = text.split(":")
        return cls(int(seed), int(operations), int(call), Loss(loss), int(second))


@dataclass(frozen=True, slots=True)
class Piece:
    """Those crashes of a trace whose call is ``remainder`` by ``stride``."""

    seed: int
    operations: int
    stride: int
    remainder: int


def play_piece(piece: Piece) -> Tally:
    """Play the crashes of ``piece`` and tally how they ended."""
    tally = Tally()
    files = FaultyFiles()
    trace = Trace(files, piece.seed)
    files.before_call = lambda _operation, _path: (
        _crash_in_all_ways(trace, piece, tally)
        if files.calls % piece.stride == piece.remainder
        else None
    )
    trace.run(piece.operations)
    tally.note_figure("calls to the file system in a trace", files.calls)
    return tally


def play_one(crash: Crash) -> str:
    """Play one crash, and say that all is well.

    Raises:
        CrashViolationError: It came back wrong.
        ValueError: The trace makes no such call.
    """
    files = FaultyFiles()
    trace = Trace(files, crash.seed)
    failures: list[CrashViolationError] = []
    played = 0

    def before_call(_operation: str, _path: Path) -> None:
        nonlocal played
        if files.calls == crash.call:
            played += 1
            try:
                _play(trace, crash)
            except CrashViolationError as error:
                failures.append(error)

    files.before_call = before_call
    trace.run(crash.operations)
    if failures:
        raise failures[0]
    if not played:
        raise ValueError(f"the trace makes {files.calls} calls, not {crash.call}")
    return "recovered"


def _crash_in_all_ways(trace: Trace, piece: Piece, tally: Tally) -> None:
    call = trace.files.calls
    for loss in Loss:
        crash = Crash(piece.seed, piece.operations, call, loss)
        _tally_one(trace, crash, tally, f"crash, {loss}")
        if call % SECOND_CRASH_STRIDE == 0:
            for second_call in range(1, _calls_of_recovery(trace, crash) + 1):
                second = Crash(piece.seed, piece.operations, call, loss, second_call)
                _tally_one(trace, second, tally, "crash, and again in the recovery")


def _tally_one(trace: Trace, crash: Crash, tally: Tally, kind: str) -> None:
    try:
        _play(trace, crash)
    except CrashViolationError as error:
        tally.note(kind, "wrong")
        tally.wrong.append(
            f"{error}\n  again: python -m tests.storage.exhaustive --case crash:{crash}"
        )
    else:
        tally.note(kind, "recovered")


def _play(trace: Trace, crash: Crash) -> None:
    """Crash a copy of the files as they are now, open it and look."""
    rng = random.Random(f"crash {crash}")
    files = _crashed(trace, crash)
    if crash.second_call:
        files = _stopped_at(files, crash.second_call)
        lose(files, Loss.MIXED, rng)
    is_killed = crash.loss is Loss.NOTHING and not crash.second_call
    possible = trace.history.after_stop(is_killed=is_killed)
    try:
        data = opened(files)
        found = _checked(trace, data, possible)
        _check_durable(clone(files), found)
        _go_on(files, data, found)
    except Exception as error:
        raise CrashViolationError(f"{crash}: {error!r}") from error


def _crashed(trace: Trace, crash: Crash) -> FaultyFiles:
    files = clone(trace.files)
    lose(files, crash.loss, random.Random(f"loss {crash.seed} {crash.call} {crash.loss}"))
    return files


def _calls_of_recovery(trace: Trace, crash: Crash) -> int:
    files = _crashed(trace, crash)
    try:
        opened(files)
    except Exception:
        return 0
    return files.calls


def _stopped_at(files: FaultyFiles, call: int) -> FaultyFiles:
    """Open ``files`` and return them as they were before the given call of that."""
    stopped: list[FaultyFiles] = []

    def before_call(_operation: str, _path: Path) -> None:
        if files.calls == call:
            stopped.append(clone(files))

    files.before_call = before_call
    opened(files)
    return stopped[0]


def _checked(trace: Trace, data: DataDirectory, possible: list[Model]) -> Model:
    found = model_of(data)
    assert found in possible, f"found {_brief(found)}, not one of {[*map(_brief, possible)]}"
    _check_snapshot(data, found)
    first = data.wal.first_index()
    assert first <= found.mark.index + 1, "a gap behind the snapshot"
    for index in range(first, found.mark.index + 1):
        entry = data.wal.entries(index, index + 1, 1)[0]
        assert entry == trace.committed.get(index, entry), f"entry {index} below the snapshot"
        assert entry.index == index, f"entry {entry.index} is served as {index}"
    return found


def _check_snapshot(data: DataDirectory, found: Model) -> None:
    expected = snapshot_payload(found.mark) if found.mark.index else None
    assert data.snapshot == expected, "the snapshot is not the one of the mark"


def _check_durable(files: FaultyFiles, found: Model) -> None:
    """What an opened directory says is answered with, so it must be durable."""
    files.power_off_clean()
    data = opened(files)
    assert model_of(data) == found, "opening did not make durable what it found"
    assert not any(data.wal.cut), "something was left to cut"


def _go_on(files: FaultyFiles, data: DataDirectory, found: Model) -> None:
    """The log goes on where it was found to end."""
    term = found.hard_state.term + 1
    entry = Entry(found.last_index + 1, term, EntryKind.NORMAL, b"next")
    state = HardState(term, None, found.hard_state.commit)
    data.wal.append_batch(state, [entry])
    data.wal.sync()
    files.power_off_clean()
    expected = Model(state, found.mark, (*found.entries, entry))
    assert model_of(opened(files)) == expected, "the log does not go on"


def _brief(model: Model) -> str:
    terms = "".join(f" {entry.index}/{entry.term}" for entry in model.entries[-4:])
    return f"<{model.hard_state} mark {model.mark.index}/{model.mark.term} ends{terms}>"


def clone(files: FaultyFiles) -> FaultyFiles:
    """Copy the files, with what is durable and what is not."""
    copies: dict[Inode, Inode] = {}

    def copy(inode: Inode) -> Inode:
        if inode not in copies:
            copies[inode] = Inode(bytearray(inode.shown), inode.durable, list(inode.unsynced))
        return copies[inode]

    other = FaultyFiles()
    other.directories = set(files.directories)
    other.names_shown = {path: copy(inode) for path, inode in files.names_shown.items()}
    other.names_durable = {path: copy(inode) for path, inode in files.names_durable.items()}
    other.unsynced_names = [
        (new, old, None if inode is None else copy(inode))
        for new, old, inode in files.unsynced_names
    ]
    return other


def lose(files: FaultyFiles, loss: Loss, rng: random.Random) -> None:
    """Crash ``files``, losing what ``loss`` says."""
    match loss:
        case Loss.NOTHING:
            files.kill()
            return
        case Loss.EVERYTHING:
            files.power_off_clean()
            return
        case Loss.MIXED:
            files.crash(rng)
            return
        case Loss.NAMES:
            _keep_names(files, rng)
            surviving = Loss.NOTHING
        case _:
            surviving = loss
    for _, inode in sorted(files.names_shown.items()):
        inode.durable = _surviving(inode, surviving, rng)
        inode.shown = bytearray(inode.durable)
        inode.unsynced = []
    files.names_durable = dict(files.names_shown)
    files.unsynced_names = []
    files.locked.clear()


def _keep_names(files: FaultyFiles, rng: random.Random) -> None:
    files.unsynced_names = [each for each in files.unsynced_names if rng.random() < 0.5]
    for new, old, inode in files.unsynced_names:
        if old is not None:
            files.names_durable.pop(old, None)
        if inode is None:
            files.names_durable.pop(new, None)
        else:
            files.names_durable[new] = inode
    files.names_shown = dict(files.names_durable)


def _surviving(inode: Inode, loss: Loss, rng: random.Random) -> bytes:
    if not inode.unsynced:
        return inode.durable
    last = inode.unsynced[-1]
    length = max(len(last), len(inode.durable))
    old, new = inode.durable.ljust(length, b"\0"), last.ljust(length, b"\0")
    match loss:
        case Loss.CUT:
            at = rng.randint(0, length)
            # Appended bytes are lost from any byte on, overwritten ones in whole sectors.
            if old[at:].strip(b"\0"):
                at -= at % SECTOR_BYTES
            return new[:at] + old[at:]
        case Loss.SECTORS:
            sectors = range(0, length, SECTOR_BYTES)
            kept = [new if rng.random() < 0.5 else old for _ in sectors]
            return b"".join(
                content[at : at + SECTOR_BYTES] for at, content in zip(sectors, kept, strict=True)
            )
        case Loss.SOME_WRITES:
            return rng.choice(inode.unsynced)
        case _:
            return last
