"""Applies what people say of automation, and what automation leaves to people."""

from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from director.core.automation import (
    OVERRIDE_MS_MAX,
    PAUSE_MS_MAX,
    WHOLE_FLEET,
    flap_of,
    pause_exactly,
    pause_of,
)
from director.core.automation_commands import (
    AutomationAction,
    SetAutomation,
)
from director.core.automation_records import Flap, OverrideTerm, Pause
from director.core.commands import RunKind, SetOverride, Stamp
from director.core.events import AutomationSet, Event
from director.core.flap_damping import after_move
from director.core.machine_intents import withdrawn_with_services
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import Run, State
from director.core.topology import Topology
from director.routing.table import RegionId, ServiceId

_NAMES_SHOWN_MAX = 20


# -- pauses ----------------------------------------------------------------------------------------


def set_automation(state: State, index: int, command: SetAutomation) -> tuple[State, Event]:
    """Pause or resume automation, or let what it did rest."""
    refusal = automation_refusal(state, command)
    if refusal is not None:
        return reject(state, index, command, refusal)
    service_id, stamp = command.service_id, command.stamp
    match command.action:
        case AutomationAction.PAUSE:
            pause = Pause(
                service_id,
                until_ms=state.now_ms + command.for_ms,
                until_wall_ms=stamp.wall_ms + command.for_ms,
                began_at_ms=state.now_ms,
                began_wall_ms=stamp.wall_ms,
                actor=stamp.actor,
                reason=stamp.reason,
            )
            state = replace(state, pauses=_pauses_after(state, service_id, pause))
            return state, AutomationSet(
                index,
                service_id,
                command.action,
                pause.until_ms,
                pause.until_wall_ms,
                stamp.request_id,
            )
        case AutomationAction.RESUME:
            state = replace(state, pauses=_pauses_after(state, service_id, None))
        case AutomationAction.ACKNOWLEDGE:
            state = _acknowledged(state, service_id)
        case _:
            assert_never(command.action)
    return state, AutomationSet(index, service_id, command.action, request_id=stamp.request_id)


def automation_refusal(state: State, command: SetAutomation) -> Refusal | None:
    """Say why automation may not be set so, or None if it may."""
    if command.service_id != WHOLE_FLEET and state.topology.service(command.service_id) is None:
        names = [each.service_id for each in state.topology.services]
        more = len(names) - _NAMES_SHOWN_MAX
        known = ", ".join(names[:_NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
        return Refusal(
            Reason.SERVICE_NOT_FOUND,
            f"there is no service {command.service_id}; there are: {known or 'none yet'}",
        )
    if command.action is not AutomationAction.PAUSE:
        return None
    if not 0 < command.for_ms <= PAUSE_MS_MAX:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"a pause of {command.for_ms} ms is not possible: it needs an end, at most "
            f"{PAUSE_MS_MAX} ms from now",
            (("field", "for_ms"), ("forMs", str(command.for_ms)), ("forMsMax", str(PAUSE_MS_MAX))),
        )
    return _without_reason(command.stamp, "a pause")


def nothing_to_resume(state: State, service_id: ServiceId) -> str:
    """Say why there is no pause to end under this name, or "" if there is one."""
    if pause_exactly(state, service_id) is not None:
        return ""
    over_all = pause_of(state, service_id)
    if over_all is not None:
        return (
            f"{service_id} itself is not paused; the whole fleet is, by {over_all.actor}: end that "
            "with `director resume`"
        )
    others = [
        each.service_id
        for each in state.pauses
        if service_id == WHOLE_FLEET and state.now_ms < each.until_ms
    ]
    what = f"automation of {service_id}" if service_id else "automation of the fleet"
    still = f"; still paused by themselves: {', '.join(others)}" if others else ""
    return f"{what} is not paused{still}"


def nothing_to_acknowledge(state: State, service_id: ServiceId) -> str:
    """Say that automation left nothing to acknowledge under this name, or "" if it did."""
    services = {each.service_id for each in state.flaps} | {each for each, _ in state.settled_at_ms}
    is_left = bool(services) if service_id == WHOLE_FLEET else service_id in services
    where = f"of {service_id}" if service_id else "of any service"
    return "" if is_left else f"no move {where} waits to be acknowledged"


def _pauses_after(state: State, service_id: ServiceId, pause: Pause | None) -> tuple[Pause, ...]:
    kept = [
        each
        for each in state.pauses
        if each.service_id != service_id and state.now_ms < each.until_ms
    ]
    if pause is not None:
        kept.append(pause)
    return tuple(sorted(kept, key=lambda each: each.service_id))


def _acknowledged(state: State, service_id: ServiceId) -> State:
    """End the cooldown and the damping, and let a lossy failover rest (C1, C3)."""
    if service_id == WHOLE_FLEET:
        return replace(state, settled_at_ms=(), flaps=())
    return replace(
        state,
        settled_at_ms=tuple(each for each in state.settled_at_ms if each[0] != service_id),
        flaps=tuple(each for each in state.flaps if each.service_id != service_id),
    )


def _without_reason(stamp: Stamp, what: str) -> Refusal | None:
    if stamp.reason.strip():
        return None
    return Refusal(
        Reason.INVALID_REQUEST,
        f"{what} needs a reason: it is shown to everybody and goes to the audit trail",
        (("field", "change.reason"),),
    )


# -- overrides -------------------------------------------------------------------------------------


def term_refusal(state: State, command: SetOverride) -> Refusal | None:
    """Say why an override may not be set for so long or be cleared now, or None if it may (C9)."""
    if command.lapsed_at_ms:
        term = state.override_terms.get((command.service_id, command.region_id))
        is_over = term is not None and term.expires_at_ms == command.lapsed_at_ms <= state.now_ms
        if command.override is None and is_over:
            return None
        return Refusal(
            Reason.NOTHING_TO_DO,
            f"the override of {command.service_id} in {command.region_id} was set again meanwhile",
        )
    if command.override is None:
        return None
    if not 0 <= command.for_ms <= OVERRIDE_MS_MAX:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"an override of {command.for_ms} ms is not possible: at most {OVERRIDE_MS_MAX} ms",
            (
                ("field", "for_ms"),
                ("forMs", str(command.for_ms)),
                ("forMsMax", str(OVERRIDE_MS_MAX)),
            ),
        )
    return _without_reason(command.stamp, "an override")


def with_term(state: State, command: SetOverride) -> State:
    """Keep who set the override, why, and until when; or forget it with the override."""
    pair = (command.service_id, command.region_id)
    terms = {key: value for key, value in state.override_terms.items() if key != pair}
    # An entry of an earlier release had no end when others applied it, and must not get one now.
    if command.override is not None and command.for_ms:
        for_ms = command.for_ms
        terms[pair] = OverrideTerm(
            command.stamp.actor,
            command.stamp.reason,
            expires_at_ms=state.now_ms + for_ms,
            expires_wall_ms=command.stamp.wall_ms + for_ms,
        )
    return replace(state, override_terms=MappingProxyType(terms))


# -- what runs leave behind ------------------------------------------------------------------------


def with_grant(state: State, run: Run) -> State:
    """Remember a failover that may have lost writes, until a person moves the service (C3).

    A drill leaves what it found. And nobody has looked because the director empties a region.
    """
    flap = flap_of(state, run.service_id)
    is_lossy = run.kind is RunKind.FAILOVER and run.loss_bound_ms != 0
    lossy_run_id = flap.lossy_run_id
    if run.drill_id:
        drill = state.drill(run.drill_id)
        if is_lossy:
            lossy_run_id = lossy_run_id or run.run_id
        elif drill is not None and lossy_run_id in drill.run_ids:
            lossy_run_id = None  # its own, and it brings the service home
    elif is_lossy:
        lossy_run_id = run.run_id
    elif run.request_id:
        lossy_run_id = None
    if lossy_run_id == flap.lossy_run_id:
        return state
    return _with_flap(state, replace(flap, lossy_run_id=lossy_run_id))


def with_move_counted(state: State, run: Run) -> State:
    """Add the penalty of one automatic move that settled (C2)."""
    service = state.topology.service(run.service_id)
    assert service is not None, "a manifest cannot take away what a run works on"
    policy = state.topology.policy(service.policy_id)
    flap = after_move(flap_of(state, run.service_id), policy, now_ms=state.now_ms)
    return _with_flap(state, flap)


def _with_flap(state: State, flap: Flap) -> State:
    others = [each for each in state.flaps if each.service_id != flap.service_id]
    return replace(state, flaps=tuple(sorted([*others, flap], key=lambda each: each.service_id)))


def after_manifest(state: State, topology: Topology, stamp: Stamp) -> State:
    """Forget what was said of services and sites that are gone.

    What a service's moves left behind stays: taking it out and in again pardons nothing.
    """
    services = {each.service_id for each in topology.services} | {WHOLE_FLEET}
    pairs: set[tuple[ServiceId, RegionId]] = {
        (each.service_id, site.region_id) for each in topology.services for site in each.sites
    }
    return replace(
        state,
        pauses=tuple(each for each in state.pauses if each.service_id in services),
        override_terms=MappingProxyType(
            {pair: term for pair, term in state.override_terms.items() if pair in pairs}
        ),
        intents=withdrawn_with_services(state, topology, stamp),
    )
