"""The audit trail as commands read it: from one director, or from a file that was exported."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from director.cli.output import API_VERSION
from director.core.audit import AuditRecord
from trafficdirector.event.v1 import event_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE = 500
EVENT_KIND, HEAD_KIND = "Event", "AuditHead"
_ENVELOPE = frozenset({"apiVersion", "kind"})
_FIELDS = {each.name: each.type for each in fields(AuditRecord)}


@dataclass(frozen=True, slots=True)
class Trail:
    """What is kept of it, oldest first, with its end.

    Attributes:
        head: Hash of the newest; None when it is not known, as in a file without its last line.
    """

    records: tuple[AuditRecord, ...]
    before_hash: str
    head: str | None


class TrailUnreadableError(Exception):
    """It is not an exported trail. The message says where."""


def read_all(ask: Callable[[pb.ListEventsRequest], pb.ListEventsResponse]) -> Trail:
    """Return everything that the director behind ``ask`` keeps. It may grow meanwhile."""
    records: list[AuditRecord] = []
    before_hash = ""
    while True:
        after = records[-1].number if records else 0
        answer = ask(pb.ListEventsRequest(after_number=after, limit=PAGE))
        if not records:
            before_hash = answer.head.first_before_hash
        records += map(record_from_proto, answer.events)
        if not answer.events or records[-1].number >= answer.head.count:
            return Trail(tuple(records), before_hash, answer.head.head)


def record_from_proto(event: pb.Event) -> AuditRecord:
    """Return a record as the core has it."""
    return AuditRecord(**{name: getattr(event, name) for name in _FIELDS})


def trail_from_lines(lines: Iterable[str]) -> Trail:
    """Return what ``director get events -o jsonl`` wrote.

    Raises:
        TrailUnreadableError: A line is not one of those.
    """
    records: list[AuditRecord] = []
    head: str | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        value = _parsed(line, number)
        if head is not None:
            raise TrailUnreadableError(f"line {number}: there is something after the head")
        if value.get("kind") == HEAD_KIND:
            head = str(value.get("head", ""))
        else:
            records.append(_record(value, number))
    return Trail(tuple(records), records[0].before_hash if records else "", head)


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise TrailUnreadableError(f"line {number} is not JSON") from None
    if (
        not isinstance(value, dict)
        or value.get("apiVersion") != API_VERSION
        or value.get("kind") not in (EVENT_KIND, HEAD_KIND)
    ):
        raise TrailUnreadableError(f"line {number} is neither an event nor a head")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. One name twice would show people one value and be checked by another."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name stands twice")
    return value


def _record(value: dict[str, Any], number: int) -> AuditRecord:
    # What no hash covers could say anything.
    others = sorted(value.keys() - _FIELDS.keys() - _ENVELOPE)
    if others:
        raise TrailUnreadableError(f"line {number}: {others[0]!r} is no part of a record")
    record: dict[str, Any] = {}
    for name, kind in _FIELDS.items():
        found = value.get(name)
        if type(found) is not kind:
            raise TrailUnreadableError(f"line {number}: {name} is missing, or of another type")
        record[name] = found
    return AuditRecord(**record)
