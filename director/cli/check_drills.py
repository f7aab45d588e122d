"""Rules about drills: was each recovery rehearsed, lately, and did it pass?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.findings import Finding, ok, warn
from director.runtime.durations import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.check_facts import Facts
    from trafficdirector.drill.v1 import drill_pb2 as pb

# A month and some days: a monthly drill may be skipped once and be done a few days later.
AGE_MAX_MS = 35 * 86_400_000
# One that was skipped, or cut short, says nothing of the service.
_SAYS = frozenset({"PASSED", "FAILED"})


def drills(facts: Facts) -> Iterator[Finding]:
    """When did each service last pass a drill?"""
    for service in facts.status.services:
        name = service.service_id
        yield _finding(facts, name, [each for each in facts.drills if each.service_id == name])


def _finding(facts: Facts, name: str, kept: list[pb.Drill]) -> Finding:
    active = next((each for each in kept if not each.verdict), None)
    if active is not None:
        hint = "wait for it; to end it now: `director drill abort NAME --reason TEXT`"
        return warn("drills", f"{active.drill_id} is going on", hint)
    telling = sorted((each for each in kept if each.verdict in _SAYS), key=_ended)
    if not telling:
        hint = "look at what a drill would do: `director drill plan NAME`"
        return warn("drills", f"no drill of {name} has ever ended", hint)
    newest = telling[-1]
    if newest.verdict != "PASSED":
        message = f"{newest.drill_id} did not pass: {newest.cause}"
        return warn("drills", message, f"read why: `director drill report {newest.drill_id}`")
    age_ms = max(0, facts.wall_ms - newest.ended_wall_ms)
    message = f"{name} passed {newest.drill_id} {format_ms(age_ms)} ago"
    if age_ms > AGE_MAX_MS:
        return warn("drills", message, "drill it again: `director drill run NAME`")
    return ok("drills", message)


def _ended(each: pb.Drill) -> tuple[int, str]:
    return each.ended_wall_ms, each.drill_id
