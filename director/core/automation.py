"""How far the director may act by itself now: pauses, proposals, and what past moves left behind.

Queries of the replicated state; ``state.now_ms`` is the time of the question.
"""

from director.core.automation_records import Flap, Intent, Pause
from director.core.flap_damping import reusable_in_ms
from director.core.ids import GroupId
from director.core.state import State
from director.core.topology import Policy
from director.routing.table import ServiceId

# A pause that nobody ends is a fleet without failover; whoever needs longer says so again.
PAUSE_MS_MAX = 24 * 3_600_000
# An operator's verdict outlives a weekend and a holiday, but nobody's memory.
OVERRIDE_MS_MAX = 7 * 24 * 3_600_000
# What was right a quarter of an hour ago is looked at again before it is done.
INTENT_EXPIRES_MS = 900_000
# Enough for `get intents`; the audit trail keeps the rest.
INTENTS_KEPT_MAX = 100

WHOLE_FLEET = ServiceId("")


def pause_of(state: State, service_id: ServiceId) -> Pause | None:
    """Return the pause in force for a service, its own or the fleet's: the one that ends last."""
    in_force = [
        each
        for each in state.pauses
        if each.service_id in (WHOLE_FLEET, service_id) and state.now_ms < each.until_ms
    ]
    return max(in_force, key=lambda each: (each.until_ms, each.service_id), default=None)


def pause_exactly(state: State, service_id: ServiceId) -> Pause | None:
    """Return the pause in force that was asked for under this name; "" is the fleet's."""
    return next(
        (
            each
            for each in state.pauses
            if each.service_id == service_id and state.now_ms < each.until_ms
        ),
        None,
    )


def flap_of(state: State, service_id: ServiceId) -> Flap:
    """Return what past moves of a service left behind; nothing, if there were none."""
    return next((each for each in state.flaps if each.service_id == service_id), Flap(service_id))


def damped_for_ms(state: State, service_id: ServiceId, policy: Policy) -> int:
    """Return how long flap damping keeps the director from moving the service; 0: it does not."""
    return reusable_in_ms(flap_of(state, service_id), policy, now_ms=state.now_ms)


def intent(state: State, intent_id: str) -> Intent | None:
    """Return a proposal by its name, or None if it is not kept."""
    return next((each for each in state.intents if each.intent_id == intent_id), None)


def standing_intent(state: State, group_id: GroupId) -> Intent | None:
    """Return the proposal about a group whose incident goes on, or None."""
    return next(
        (each for each in state.intents if each.group_id == group_id and each.is_standing), None
    )


def newest_intent(state: State, service_id: ServiceId) -> Intent | None:
    """Return the newest proposal for a service, ended or not; None if none is kept."""
    return next((each for each in reversed(state.intents) if each.service_id == service_id), None)
