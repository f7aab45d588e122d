"""What of a command and its event goes into the audit trail, and which ones do.

Everything a person asked for goes in, carried out or refused. Of the director's own commands those
that changed something go in; one that was overtaken by the time it committed changed nothing.

Fields are picked by name, from a list: what a later release adds to an event changes no record.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import get_args

from director.core.audit import AuditRecord, appended
from director.core.commands import (
    AdvanceDrill,
    Command,
    RecordDeliveries,
    RecordSpill,
    RecordVerdicts,
)
from director.core.events import Event, ManifestApplied, Rejected, VerdictsRecorded
from director.core.ids import FencingToken, GroupId
from director.core.state import State

_SERVICE, _REGION = ("service_id",), ("region_id", "target", "home")
_RUN = ("run_id", "drill_id")
# Of the event, in this order, and then of the command.
_EVENT_DETAILS = (
    "source",
    "home",
    "target",
    "stage",
    "token",
    "cause",
    "note",
    "drained",
    "override",
    "action",
    "state",
    "intent_id",
    "outcome",
    "generation",
    "verdict",
)
_COMMAND_DETAILS = (
    "kind",
    "for_ms",
    "loss_bound_ms",
    "accept_loss_ms",
    "restores",
    "schedule_id",
    "skip_cause",
)
_CHANGES_SHOWN_MAX = 5
_EVIDENCE_SHOWN_MAX = 6


def _snake(name: str) -> str:
    return "".join(
        f"_{letter.lower()}" if at and letter.isupper() else letter.lower()
        for at, letter in enumerate(name)
    )


_NAME_BY_TYPE = {each: _snake(each.__name__) for each in (*get_args(Command), *get_args(Event))}


def audited(state: State, index: int, command: Command, event: Event) -> State:
    """Return ``state`` with a record of what ``command`` came to, if there is to be one.

    Not for the repetition of a request: its first time was recorded.
    """
    if not _is_recorded(command, event):
        return state
    record = _record(state, index, command, event)
    return replace(state, audit=appended(state.audit, record))


def action_name(command: type) -> str:
    """Return the name of a command in the trail: ``StartRun`` is ``start_run``."""
    return _NAME_BY_TYPE[command]


def _is_recorded(command: Command, event: Event) -> bool:
    if isinstance(command, RecordDeliveries | RecordSpill):
        return False  # they would push what matters out of what is kept
    if isinstance(command, AdvanceDrill) and command.stage is command.expected_stage:
        return False  # says again that an injection goes on
    return command.stamp.request_id != "" or not isinstance(event, Rejected)


def _record(state: State, index: int, command: Command, event: Event) -> AuditRecord:
    stamp = command.stamp
    service_id, region_id = _subject(state, command, event)
    return AuditRecord(
        number=0,
        index=index,
        at_ms=state.now_ms,
        wall_ms=stamp.wall_ms,
        actor=stamp.actor,
        reason=stamp.reason,
        action=_NAME_BY_TYPE[type(command)],
        service_id=service_id,
        region_id=region_id,
        run_id=_first(command, event, _RUN),
        request_id=stamp.request_id,
        request_hash=stamp.ask_digest,
        evidence=_evidence(command),
        result=_NAME_BY_TYPE[type(event)],
        refusal=event.reason.value if isinstance(event, Rejected) else "",
        detail=_detail(state, command, event),
    )


def _subject(state: State, command: Command, event: Event) -> tuple[str, str]:
    """Return service and region: of the command, its event, or what they are about."""
    if isinstance(event, VerdictsRecorded):
        return _only(each.service_id for each in event.changes), _only(
            each.region_id for each in event.changes
        )
    service_id = _first(command, event, _SERVICE)
    region_id = _first(command, event, _REGION)
    run_id = _first(command, event, ("run_id",))
    run = next((each for each in reversed(state.runs) if each.run_id == run_id), None)
    if run is not None:
        return service_id or run.service_id, region_id or run.target
    drill_id = _first(command, event, ("drill_id",))
    drill = next((each for each in reversed(state.drills) if each.drill_id == drill_id), None)
    if drill is not None:
        return drill.spec.service_id, drill.spec.scenario.region_id
    group_id = _first(command, event, ("group_id",))
    group = state.group(GroupId(group_id)) if group_id and not service_id else None
    return (service_id if group is None else group.service_id), region_id


def _only(names: Iterable[str]) -> str:
    """Return the name if there is but one."""
    found = tuple(names)
    return found[0] if found and all(each == found[0] for each in found) else ""


def _first(command: Command, event: Event, names: Sequence[str]) -> str:
    for source in (event, command):
        for name in names:
            value = getattr(source, name, None)
            if isinstance(value, str) and value:
                return str(value)
    return ""


def _detail(state: State, command: Command, event: Event) -> str:
    match event:
        case Rejected():
            return event.message
        case VerdictsRecorded():
            return _verdicts(event)
        case ManifestApplied():
            summary = state.revisions[-1].summary if state.revisions else ""
            return f"revision={event.revision} {summary}".rstrip()
        case _:
            found = [*_named(event, _EVENT_DETAILS), *_named(command, _COMMAND_DETAILS)]
            return " ".join(found)


def _named(source: Command | Event, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        text = _plain(getattr(source, name, None))
        if text:
            yield f"{name}={text}"


def _plain(value: object) -> str:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | FencingToken) else ""


def _verdicts(event: VerdictsRecorded) -> str:
    shown = [
        f"{each.service_id} in {each.region_id} {each.verdict.value} ({each.reason})"
        for each in event.changes[:_CHANGES_SHOWN_MAX]
    ]
    more = len(event.changes) - len(shown)
    text = ", ".join(shown) + (f" and {more} more" if more else "")
    if event.withheld:
        text += f"; {len(event.withheld)} kept in service by {event.withheld[0][2]}"
    return text


def _evidence(command: Command) -> str:
    if isinstance(command, RecordVerdicts):
        found = command.changes[0].evidence if command.changes else ()
    else:
        found = getattr(command, "evidence", ())
    shown = [
        f"{each.vantage} {each.finding} {each.age_ms} ms old"
        for each in found[:_EVIDENCE_SHOWN_MAX]
    ]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
