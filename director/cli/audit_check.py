"""Checks the audit trail: that the chain holds, at every director and in exported files.

For ``director check --audit``. Each finding is one line, with a hint when something is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from director.cli import methods
from director.cli.audit_trail import (
    Trail,
    TrailUnreadableError,
    read_all,
    trail_from_lines,
)
from director.cli.connection import Failure
from director.core.audit import verify
from trafficdirector.event.v1 import event_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from director.cli.connection import Connection

_SHORT = 12
_TAMPERED_HINT = (
    "keep a copy of this director's data directory, compare with an exported trail or a hash kept "
    "elsewhere, and find out who could write to it"
)
_BEYOND_HINT = (
    "records were added to the file, or the directors were restored from a copy that is older: "
    "keep both, and ask who did that"
)
_FORGED_HINT = "do not trust this file; export it anew and find out who could write to it"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """What came of one check.

    Attributes:
        subject: The endpoint or the file.
        is_ok: The chain holds there.
        message: What was found, for people.
        hint: What to do; "" when all is well.
    """

    subject: str
    is_ok: bool
    message: str
    hint: str = ""


class _NoAnswerError(Exception):
    """A director did not answer."""


def audit_findings(connection: Connection) -> tuple[AuditFinding, ...]:
    """Check the trail of every director that ``connection`` knows, and that they agree."""
    findings, trails = [], {}
    for endpoint in sorted(connection.endpoints):
        try:
            trail = read_all(_asking(connection, endpoint))
        except _NoAnswerError as error:
            hint = "start it, or leave it out of --endpoint"
            findings.append(_wrong(endpoint, f"not checked: {error}", hint))
            continue
        trails[endpoint] = trail
        findings.append(_finding(endpoint, trail, _TAMPERED_HINT))
    return (*findings, *_differences(trails))


def file_findings(path: Path, connection: Connection | None = None) -> tuple[AuditFinding, ...]:
    """Check an exported trail: its chain, and its last record against the directors'.

    Args:
        path: What ``director get events -o jsonl`` wrote.
        connection: Directors to compare with; None compares with nobody.
    """
    name = str(path)
    try:
        with path.open(encoding="utf-8") as lines:
            trail = trail_from_lines(lines)
    except TrailUnreadableError as error:
        return (_wrong(name, str(error), _FORGED_HINT),)
    except (OSError, UnicodeDecodeError) as error:
        return (_wrong(name, f"cannot be read: {error}"),)
    finding = _finding(name, trail, _FORGED_HINT)
    if not finding.is_ok or connection is None or not trail.records:
        return (finding,)
    return (finding, _compared(name, trail, connection))


def _fine(subject: str, message: str) -> AuditFinding:
    return AuditFinding(subject, is_ok=True, message=message)


def _wrong(subject: str, message: str, hint: str = "") -> AuditFinding:
    return AuditFinding(subject, is_ok=False, message=message, hint=hint)


def _asking(
    connection: Connection, endpoint: str
) -> Callable[[pb.ListEventsRequest], pb.ListEventsResponse]:
    def ask(request: pb.ListEventsRequest) -> pb.ListEventsResponse:
        answer = connection.ask_one(endpoint, methods.LIST_EVENTS, request)
        if isinstance(answer, Failure):
            raise _NoAnswerError(answer.message)
        return answer

    return ask


def _finding(subject: str, trail: Trail, hint: str) -> AuditFinding:
    records = trail.records
    if not records and not trail.head:
        return _fine(subject, "nothing is recorded yet")
    # Without a head only the end is not known; everything before it is checked all the same.
    head = trail.head
    if head is None:
        head = records[-1].hash
    fault = verify(records, trail.before_hash, head)
    if fault is not None:
        return _wrong(subject, fault.message, hint)
    numbers = f"records {records[0].number} to {records[-1].number}" if records else "no record"
    message = f"{numbers} hold; head {head[:_SHORT]}"
    if trail.head is None:
        message += "; the file has no last line, so records may be missing at its end"
    return _fine(subject, message)


def _differences(trails: dict[str, Trail]) -> list[AuditFinding]:
    """Compare each director with the one that knows most; they may be a few records apart."""
    if not trails:
        return []
    best = max(sorted(trails), key=lambda each: len(trails[each].records))
    hash_by_number = {each.number: each.hash for each in trails[best].records}
    findings = []
    for endpoint, trail in trails.items():
        odd = next(
            (
                each.number
                for each in trail.records
                if hash_by_number.get(each.number, each.hash) != each.hash
            ),
            None,
        )
        if odd is not None:
            message = f"record {odd} is not the one that {best} has"
            findings.append(_wrong(endpoint, message, _TAMPERED_HINT))
    return findings


def _compared(name: str, trail: Trail, connection: Connection) -> AuditFinding:
    """Compare the newest record that a director keeps: its hash stands for all before it."""
    found = _fine(name, "no director answered: not compared with one")
    for endpoint in connection.endpoints:
        try:
            compared = _compared_with(name, trail, _asking(connection, endpoint), endpoint)
        except _NoAnswerError:
            continue
        if compared is not None:
            return compared
        message = f"{endpoint} has no record {trail.records[-1].number}"
        found = _wrong(name, message, _BEYOND_HINT)
    return found


def _compared_with(
    name: str,
    trail: Trail,
    ask: Callable[[pb.ListEventsRequest], pb.ListEventsResponse],
    endpoint: str,
) -> AuditFinding | None:
    """Compare with one director; None if its trail ends before the file's, and agrees so far."""
    last = trail.records[-1].number
    answer = ask(pb.ListEventsRequest(after_number=last - 1, limit=1))
    number = min(last, answer.head.count)
    if 0 < number < last:
        answer = ask(pb.ListEventsRequest(after_number=number - 1, limit=1))
    kept = next((each.hash for each in answer.events if each.number == number), None)
    filed = next((each.hash for each in trail.records if each.number == number), None)
    if None not in (kept, filed) and kept != filed:
        message = f"record {number} is not the one that {endpoint} has"
        return _wrong(name, message, _FORGED_HINT)
    if number < last:
        return None
    if kept is None:
        return _fine(name, f"{endpoint} does not keep record {number}: not compared with it")
    return _fine(name, f"record {number} is the one that {endpoint} has")
