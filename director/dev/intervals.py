"""Proves from write logs that no two owners ever acknowledged writes at the same time (A1).

Shares no code with the director or the agents: it knows only lines of JSON and numbers.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One acknowledged write: when, on CLOCK_BOOTTIME, by whom, under which token."""

    at_ms: int
    generation: int
    epoch: int
    region_id: str


@dataclass(frozen=True, slots=True)
class Interval:
    """First and last acknowledgement under one token."""

    generation: int
    epoch: int
    region_id: str
    first_ms: int
    last_ms: int
    count: int


def read_acknowledged(paths: Iterable[Path]) -> Iterator[Acknowledged]:
    """Yield every acknowledged write of the journals; torn last lines are passed over."""
    for path in paths:
        for entry in _entries(path):
            if entry["kind"] == "ack":
                yield Acknowledged(
                    entry["at_ms"], entry["generation"], entry["epoch"], entry["region"]
                )


def intervals(writes: Iterable[Acknowledged]) -> list[Interval]:
    """Return one interval per (token, region), in order of tokens."""
    grouped: dict[tuple[int, int, str], list[int]] = {}
    for write in writes:
        key = (write.generation, write.epoch, write.region_id)
        grouped.setdefault(key, []).append(write.at_ms)
    return [
        Interval(*key, first_ms=min(times), last_ms=max(times), count=len(times))
        for key, times in sorted(grouped.items())
    ]


@dataclass(frozen=True, slots=True)
class Loss:
    """Acknowledged writes that the new owner does not have.

    Attributes:
        span_ms: From the oldest of them to the old owner's last acknowledgement; 0 when none.
    """

    count: int
    span_ms: int


def lost_writes(old: Path, new: Path, *, below: tuple[int, int]) -> Loss:
    """Count the writes acknowledged in ``old`` that are not in ``new``.

    Args:
        old: Write log of the region that owned the service.
        new: Write log of the region that owns it now.
        below: Token of the new owner; writes under this or a later token are not looked at.
    """
    held = {_identity(entry) for entry in _entries(new) if entry["kind"] in ("write", "copy")}
    written = {
        entry["position"]: entry
        for entry in _entries(old)
        if entry["kind"] in ("write", "copy") and (entry["generation"], entry["epoch"]) < below
    }
    acked = [
        entry
        for entry in _entries(old)
        if entry["kind"] == "ack" and (entry["generation"], entry["epoch"]) < below
    ]
    lost = [
        entry["at_ms"]
        for entry in acked
        if entry["position"] not in written or _identity(written[entry["position"]]) not in held
    ]
    if not lost:
        return Loss(0, 0)
    return Loss(len(lost), max(entry["at_ms"] for entry in acked) - min(lost))


def _identity(entry: dict[str, Any]) -> tuple[int, int, int, str]:
    return (entry["position"], entry["generation"], entry["epoch"], entry["value"])


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the torn last line of a killed process
        if isinstance(entry, dict) and "kind" in entry:
            yield entry


def violations(found: list[Interval]) -> list[str]:
    """Say where two owners overlapped; empty means that none did.

    Two regions under one token, or a token whose first write is not after the last write of every
    lower token. Times are whole milliseconds, so equal is not an overlap between hosts of one
    machine only if the order of tokens agrees; it is counted as one to be safe.
    """
    faults = []
    for number, later in enumerate(found):
        for earlier in found[:number]:
            if (earlier.generation, earlier.epoch) == (later.generation, later.epoch):
                faults.append(
                    f"token {later.generation}.{later.epoch}: both {earlier.region_id} and "
                    f"{later.region_id} acknowledged writes"
                )
            elif later.first_ms <= earlier.last_ms:
                faults.append(
                    f"{later.region_id} acknowledged under {later.generation}.{later.epoch} at "
                    f"{later.first_ms} ms, not after {earlier.region_id} under "
                    f"{earlier.generation}.{earlier.epoch} at {earlier.last_ms} ms"
                )
    return faults
