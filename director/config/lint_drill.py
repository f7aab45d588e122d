"""What a schema cannot say of drill schedules: what they refer to, and what they leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from director.config.faults import Path, suggestion
from director.config.lint_calendar import lint_calendar
from director.core.drill import DRILL_FOR_MS_MAX, DrillKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from director.config.declared import Declared, Surroundings
    from director.config.faults import Fault
    from director.config.model import DrillSchedule, Service

_LOSE: Path = ("spec", "scenario", "lose")


def lint_drill(
    here: Declared,
    drill: DrillSchedule,
    services: Mapping[str, Service | None],
    around: Surroundings,
) -> Iterator[Fault]:
    """Yield what is wrong with a schedule.

    Args:
        here: Where it stands.
        drill: What it says.
        services: Every declared service; None for one that its schema refused.
        around: The other documents.
    """
    spec = drill.spec
    if spec.service not in services:
        message = f"unknown service {spec.service!r}"
        yield here.fault(("spec", "service"), message, "D121", suggestion(spec.service, services))
    lose = spec.scenario.lose
    if lose.region is None and lose.how is not DrillKind.SWITCHOVER:
        yield here.fault(_LOSE, "no region", "D121", "add region")
    unknown = tuple(_known(here, (*_LOSE, "region"), lose.region, around))
    yield from unknown or _sited(here, lose.region, services.get(spec.service))
    if lose.how is DrillKind.LATENCY and not lose.delay:
        yield here.fault(_LOSE, "latency without a delay", "D121", "add delay, such as 800ms")
    if spec.scenario.for_ > DRILL_FOR_MS_MAX:
        message = f"a drill lasts at most {DRILL_FOR_MS_MAX // 60_000} minutes"
        yield here.fault(("spec", "scenario", "for"), message, "D121", "make it shorter")
    for key, conditions in (("abortWhen", spec.abort_when), ("skipWhen", spec.skip_when)):
        for at, condition in enumerate(conditions):
            for name in condition.region_state or {}:
                path: Path = ("spec", key, at, "regionState", name)
                yield from _known(here, path, name, around)
    try:
        ZoneInfo(spec.timezone)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        message = f"unknown time zone {spec.timezone!r}"
        hint = "an IANA name, such as Europe/Brussels"
        yield here.fault(("spec", "timezone"), message, "D121", hint)
    yield from lint_calendar(here, drill)


def _sited(here: Declared, region: str | None, service: Service | None) -> Iterator[Fault]:
    if region is None or service is None:
        return
    sites = [each.name for each in service.spec.regions]
    if region not in sites:
        message = f"{service.metadata.name} is not in {region}"
        yield here.fault((*_LOSE, "region"), message, "D121", suggestion(region, sites))


def _known(here: Declared, path: Path, name: str | None, around: Surroundings) -> Iterator[Fault]:
    if name is not None and around.regions is not None and name not in around.regions:
        hint = suggestion(name, around.regions)
        yield here.fault(path, f"unknown region {name!r}", "D101", hint)
