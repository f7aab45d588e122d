"""How far the director acts by itself: pauses, proposals and their approval, as messages."""

from director.api.changes import change_from_proto, check_service, epoch_from_proto, service_name
from director.client.wire import UINT32_MAX
from director.core.automation import WHOLE_FLEET
from director.core.automation_commands import AutomationAction, IntentState
from director.core.automation_records import Intent, OverrideTerm, Pause
from director.core.events import AutomationSet
from director.core.inputs import ApproveAsked, AutomationAsked
from director.core.topology import Automation
from director.routing.table import ServiceId
from director.runtime.clock import boot_ms
from director.service.errors import InvalidRequestError
from director.service.replica import Replica
from trafficdirector.admin.v1 import admin_pb2 as pb

# A longer name is nobody's; it ends up in a message.
_NAME_CHARS_MAX = 256
_ACTIONS = {each.value: each for each in AutomationAction}


class AutomationApi:
    """The handlers, for the services that they are part of."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def set(self, request: pb.SetAutomationRequest) -> pb.SetAutomationResponse:
        """Pause or resume automation, or acknowledge what it did."""
        action = _ACTIONS.get(request.action)
        if action is None:
            raise InvalidRequestError(
                "action", f"is {request.action!r}; it is one of {', '.join(_ACTIONS)}"
            )
        if action is AutomationAction.PAUSE and not request.for_ms:
            raise InvalidRequestError("for_ms", "is required: a pause needs an end")
        named = ServiceId(service_name(request.service_id)) if request.service_id else WHOLE_FLEET
        done = await self._replica.writes.ask(
            AutomationAsked(named, action, request.for_ms),
            change_from_proto(request.change, needs_reason=action is not AutomationAction.RESUME),
        )
        until_wall_ms = done.event.until_wall_ms if isinstance(done.event, AutomationSet) else 0
        return pb.SetAutomationResponse(
            index=done.index, until_wall_ms=until_wall_ms, message=done.message
        )

    async def approve(self, request: pb.ApproveFailoverRequest) -> pb.ApproveFailoverResponse:
        """Make the move that the director proposes for a service."""
        done = await self._replica.writes.ask(
            ApproveAsked(
                ServiceId(service_name(request.service_id)),
                epoch_from_proto(request.expected_epoch),
                request.intent_id[:_NAME_CHARS_MAX],
            ),
            change_from_proto(request.change, needs_reason=True),
        )
        return pb.ApproveFailoverResponse(failover_id=done.run_id, message=done.message)

    async def intents(self, request: pb.ListIntentsRequest) -> pb.ListIntentsResponse:
        """Return the moves that were left to people, newest first."""
        state = self._replica.state
        found = [
            each for each in reversed(state.intents) if request.service_id in ("", each.service_id)
        ]
        # A service that was removed may still have proposals.
        if request.service_id and not found:
            check_service(state.topology, request.service_id)
        now_ms = self._replica.core.director_now_ms(now_ms=boot_ms())
        shown = found[: request.limit or len(found)]
        return pb.ListIntentsResponse(
            intents=[intent_to_proto(each, now_ms=now_ms) for each in shown]
        )


def intent_to_proto(intent: Intent, *, now_ms: int) -> pb.Intent:
    """Return a proposal as a message; ``now_ms`` is director time."""
    encoded = pb.Intent(
        intent_id=intent.intent_id,
        service_id=intent.service_id,
        kind=intent.kind.value,
        source_region_id=intent.source,
        target_region_id=intent.target,
        epoch=intent.epoch,
        mode=intent.mode.value,
        state=intent.state.value,
        limit=intent.limit,
        reason=intent.reason,
        evidence=[
            pb.Evidence(vantage=each.vantage, finding=each.finding, age_ms=each.age_ms)
            for each in intent.evidence
        ],
        opened_wall_ms=intent.opened_wall_ms,
        outcome=intent.outcome,
        failover_id=intent.run_id or "",
    )
    if intent.loss_bound_ms is not None:
        encoded.loss_bound_ms = _uint32(intent.loss_bound_ms)
    is_open = intent.state is IntentState.OPEN and intent.mode is Automation.APPROVE
    if is_open and now_ms < intent.expires_at_ms:
        encoded.approvable_for_ms = _uint32(intent.expires_at_ms - now_ms)
    return encoded


def pause_to_proto(pause: Pause, *, now_ms: int) -> pb.AutomationPause:
    """Return a pause as a message; ``now_ms`` is director time."""
    return pb.AutomationPause(
        service_id=pause.service_id,
        left_ms=_uint32(pause.until_ms - now_ms),
        until_wall_ms=max(0, pause.until_wall_ms),
        actor=pause.actor,
        reason=pause.reason,
    )


def term_to_proto(term: OverrideTerm, *, now_ms: int) -> pb.OverrideTerm:
    """Return the term of an override as a message; ``now_ms`` is director time."""
    return pb.OverrideTerm(
        actor=term.actor,
        reason=term.reason,
        left_ms=_uint32(term.expires_at_ms - now_ms),
        until_wall_ms=max(0, term.expires_wall_ms),
    )


def _uint32(value: int) -> int:
    return min(max(0, value), UINT32_MAX)
