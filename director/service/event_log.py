"""One log line for each event of the core, in the words of the glossary."""

import re
from dataclasses import fields
from enum import StrEnum

from structlog.typing import FilteringBoundLogger

from director.core.events import (
    DeliveriesRecorded,
    DrillAborted,
    DrillRenewed,
    Event,
    GenerationStarted,
    Rejected,
    Repeated,
    RunAborted,
    VerdictsRecorded,
)
from director.core.reasons import Reason

# Enough to see where to look.
_SHOWN_LOGGED_MAX = 20
_OVERTAKEN = (Reason.STALE_EPOCH, Reason.STALE_REVISION, Reason.STALE_STAGE)


def log_event(log: FilteringBoundLogger, event: Event) -> None:
    """Write ``event``: what people should look into as a warning, all else as information."""
    if isinstance(event, VerdictsRecorded):
        _log_verdicts(log, event)
        return
    if isinstance(event, GenerationStarted):
        _log_generation(log, event)
        return
    name = event_name(event)
    values = {
        each.name: _plain(value)
        for each in fields(event)
        if (value := getattr(event, each.name)) not in ("", None, ())
    }
    if isinstance(event, Rejected) and event.reason in _OVERTAKEN:
        # Plans of two leaders may meet in the log; the later one changes nothing (A9).
        log.info(name, **values)
    elif isinstance(event, Rejected | RunAborted | DrillAborted):
        log.warning(name, **values)
    elif isinstance(event, Repeated | DeliveriesRecorded | DrillRenewed):
        log.debug(name, **values)
    else:
        log.info(name, **values)


def event_name(event: Event) -> str:
    """Return the name of the line: ``RunStarted`` is ``run_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _log_verdicts(log: FilteringBoundLogger, event: VerdictsRecorded) -> None:
    rule_by_site = {(service, region): rule for service, region, rule in event.withheld}
    for change in event.changes:
        rule = rule_by_site.get((change.service_id, change.region_id))
        write = log.info if rule is None else log.warning
        write(
            "verdict_recorded",
            index=event.index,
            service_id=change.service_id,
            region_id=change.region_id,
            verdict=change.verdict.value,
            reason=change.reason,
            withheld=rule or "",
        )


def _log_generation(log: FilteringBoundLogger, event: GenerationStarted) -> None:
    shown = event.shown[:_SHOWN_LOGGED_MAX]
    log.warning(
        "generation_started",
        index=event.index,
        generation=event.generation,
        shown=[f"{each.region_id}/{each.agent_id} {each.group_id} {each.token}" for each in shown],
        shown_count=len(event.shown),
        moved=[str(each) for each in event.moved[:_SHOWN_LOGGED_MAX]],
        moved_count=len(event.moved),
    )


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    return value if isinstance(value, int | str | bool) else str(value)
