"""What a drill must leave as it was, and the content that its report is made of."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from hashlib import sha256
from typing import Any

from director.core.automation import pause_exactly
from director.core.drill_record import Drill, ViewLine
from director.core.state import State
from director.routing.table import ServiceId, Verdict

_ABSENT = "nothing"
_WELL = str(Verdict.UP)
_PEOPLES = ("revision", "drain ", "override ", "pause ")
# Set at the end, of everything else; or of no interest to a report.
_NOT_CONTENT = ("report_hash", "index", "renewal", "renewed_at_ms")


def operational_view(state: State, service_id: ServiceId) -> tuple[ViewLine, ...]:
    """Return everything that a drill of the service may disturb, sorted by subject."""
    service = state.topology.service(service_id)
    found: dict[str, str] = {"revision": str(state.revision)}
    for group in state.groups:
        if group.service_id == service_id:
            found[f"home {group.group_id}"] = group.home or _ABSENT
            found[f"serving {group.group_id}"] = group.serving or _ABSENT
    for site in () if service is None else service.sites:
        region_id = site.region_id
        pair = (service_id, region_id)
        record = state.verdicts.get(pair)
        found[f"verdict {service_id} {region_id}"] = _shown(record.verdict if record else None)
        found[f"drain {region_id}"] = "drained" if region_id in state.drained_regions else "none"
        override = state.overrides.get(pair)
        found[f"override {service_id} {region_id}"] = _ABSENT if override is None else str(override)
    for paused in (service_id, ServiceId("")):
        is_paused = pause_exactly(state, paused) is not None
        found[f"pause {paused or 'fleet'}"] = "paused" if is_paused else "none"
    return tuple(ViewLine(subject, found[subject]) for subject in sorted(found))


def _shown(verdict: Verdict | None) -> str:
    # That one observer of several sees a failure comes and goes by itself.
    return str(Verdict.UP if verdict in (Verdict.UP, Verdict.DEGRADED) else verdict or _ABSENT)


def view_diff(before: tuple[ViewLine, ...], after: tuple[ViewLine, ...]) -> tuple[str, ...]:
    """Return what differs, one line each, sorted; empty when nothing does."""
    was = {each.subject: each.value for each in before}
    now = {each.subject: each.value for each in after}
    return tuple(
        f"{subject}: {was.get(subject, _ABSENT)} -> {now.get(subject, _ABSENT)}"
        for subject in sorted({**was, **now})
        if was.get(subject, _ABSENT) != now.get(subject, _ABSENT)
    )


def state_diff(state: State, drill: Drill) -> tuple[str, ...]:
    """Return what is not as it was before the drill.

    A region that is well now, and was not, or had not been judged, is nothing to put back.
    """
    after = operational_view(state, drill.spec.service_id)
    well = {each for each in after if each.subject.startswith("verdict ") and each.value == _WELL}
    before = tuple(
        replace(each, value=_WELL) if replace(each, value=_WELL) in well else each
        for each in drill.baseline
    )
    subjects = {each.subject for each in before}
    kept = tuple(each for each in after if each not in well or each.subject in subjects)
    return view_diff(before, kept)


def awaited(differs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the differences that go by themselves or by the drill's moves; people made the rest.

    No drill drains, overrides, pauses or applies documents: to wait would put none of it back.
    """
    return tuple(each for each in differs if not each.startswith(_PEOPLES))


def configuration(state: State, service_id: ServiceId) -> str:
    """Return the service and its policy as declared, as canonical JSON."""
    service = state.topology.service(service_id)
    if service is None:
        return ""
    policy = state.topology.policy(service.policy_id)
    return _canonical({"service": plain(service), "policy": plain(policy)})


def report_content(drill: Drill) -> dict[str, Any]:
    """Return what a report of the drill says, as plain JSON values: no floats, stable keys."""
    content: dict[str, Any] = plain(drill)
    for name in _NOT_CONTENT:
        del content[name]
    content["configuration"] = json.loads(drill.configuration) if drill.configuration else None
    return content


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a report's content, also of one that was read from a file."""
    return sha256(_canonical(content).encode()).hexdigest()


def report_hash(drill: Drill) -> str:
    """Return the SHA-256 of the drill's report: that of ``report_content``."""
    return content_hash(report_content(drill))


def _canonical(value: Any) -> str:  # noqa: ANN401 - plain JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def plain(value: Any) -> Any:  # noqa: ANN401 - walks dataclasses of every kind
    """Return a frozen dataclass as JSON values: its fields by name, tuples as lists."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    assert value is None or isinstance(value, bool | int | str), type(value)
    return value
