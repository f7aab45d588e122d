"""What was written to a log and not synced yet, in the order in which it was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from director.raft.messages import Entry, HardState, SnapshotMark
from director.raft.storage import MemoryLog


@dataclass(frozen=True, slots=True)
class Installed:
    """A snapshot took the place of the log."""

    mark: SnapshotMark


@dataclass(frozen=True, slots=True)
class Recorded:
    """A snapshot was kept beside the log."""

    mark: SnapshotMark


@dataclass(frozen=True, slots=True)
class Compacted:
    """The log was cut below an index."""

    index: int


Written: TypeAlias = HardState | tuple[Entry, ...] | Installed | Recorded | Compacted


def replay(log: MemoryLog, writes: Sequence[Written]) -> None:
    """Have ``log`` take in what was written."""
    for each in writes:
        match each:
            case HardState():
                log.set_hard_state(each)
            case Installed(mark):
                log.install_snapshot(mark)
            case Recorded(mark):
                log.record_snapshot(mark)
            case Compacted(index):
                log.compact_to(index)
            case _:
                log.append(each)
