"""Operators' changes: ask the core, wait for what becomes of it, and answer with that.

A change is answered by the event that its entry led to, on the replica that proposed it. Every
change has a request id, so a caller that did not learn the outcome asks again with the same one.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from structlog.typing import FilteringBoundLogger

from director.consensus.port import Standing
from director.core.effects import Answer
from director.core.events import Event, Rejected, Repeated
from director.core.inputs import Ask, Asked
from director.core.reasons import Reason
from director.service.errors import (
    DirectorError,
    EngineStoppedError,
    InvalidRequestError,
    NoLeaderError,
    NotLeaderError,
    OutcomeUnknownError,
    OverloadedError,
    RefusedError,
)

# Longer than an election, so that a change asked just before one still gets its answer.
ANSWER_DEADLINE_MS = 10_000
# An operator's request is rare; this many at once are a loop gone wild.
WAITING_MAX = 256
REQUEST_ID_CHARS_MAX = 128
ACTOR_CHARS_MAX = 128
REASON_CHARS_MAX = 1_024
# By which the audit trail tells what the director did by itself (``Stamp.actor``).
_OWN_NAME = "director"
# Others read what one wrote, in a terminal or a log, for years: controls, line ends, and what turns
# the direction of writing.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """Who asks for a change and how to recognise a repetition.

    ``request_id`` "" lets the service make one up.
    """

    request_id: str = ""
    actor: str = ""
    reason: str = ""
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The change was carried out.

    Attributes:
        index: Log index; 0 for a dry run.
        event: What it did; None for a dry run, and for a repetition.
        run_id: The run it began or ended; "" if none.
        message: What would happen, for a dry run.
    """

    index: int
    request_id: str
    event: Event | None = None
    run_id: str = ""
    message: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


_Outcome = Done | DirectorError


class Writes:
    """Waits for the outcomes of changes. For one event loop.

    Args:
        submit: Gives a request to the core.
        standing: Where this replica stands.
        api_address_of: The API address of a replica; "" if not known.
    """

    def __init__(
        self,
        submit: Callable[[Asked], None],
        standing: Callable[[], Standing],
        api_address_of: Callable[[str], str],
    ) -> None:
        self._submit = submit
        self._standing = standing
        self._api_address_of = api_address_of
        self._waiting: dict[str, list[asyncio.Future[_Outcome]]] = {}

    async def ask(self, ask: Ask, change: Change, *, deadline_ms: int = ANSWER_DEADLINE_MS) -> Done:
        """Ask for a change and wait until it is committed and applied, or refused.

        Raises:
            NotLeaderError: Another replica leads; its address is in the metadata if known.
            NoLeaderError: Nobody is known to lead.
            RefusedError: A rule refused; ``reason`` says which.
            OutcomeUnknownError: It may or may not have been done. Ask again with the same id.
            OverloadedError: Too many changes wait.
        """
        _check(change)
        self.check_leads()
        request_id = change.request_id or uuid.uuid4().hex
        if len(self._waiting) >= WAITING_MAX:
            raise OverloadedError(f"{WAITING_MAX} changes wait already", waitingMax=WAITING_MAX)
        future: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(request_id, [])
        waiting.append(future)
        try:
            self._submit(
                Asked(
                    request_id,
                    change.actor or "operator",
                    change.reason,
                    ask,
                    validate_only=change.validate_only,
                )
            )
            async with asyncio.timeout(deadline_ms / 1_000):
                outcome = await future
        except TimeoutError:
            raise OutcomeUnknownError(
                f"no outcome within {deadline_ms} ms; ask again with the same request id",
                requestId=request_id,
                deadlineMs=deadline_ms,
            ) from None
        finally:
            waiting.remove(future)
            if not waiting:
                self._waiting.pop(request_id, None)
        if isinstance(outcome, DirectorError):
            if isinstance(outcome, RefusedError) and not change.validate_only:
                # What never reached the log of decisions is in no audit trail but this.
                log.warning(
                    "change_refused",
                    change=type(ask).__name__,
                    actor=change.actor,
                    why=change.reason,
                    request_id=request_id,
                    reason=outcome.reason.value,
                    message=str(outcome),
                )
            raise outcome
        return outcome

    def check_leads(self) -> None:
        """Raise unless this replica leads; the error says who does."""
        standing = self._standing()
        # With a full disk alone this replica still knows who leads, and can say so.
        leads_elsewhere = standing.leader_id not in (None, standing.member_id)
        if standing.failed and not leads_elsewhere:
            raise EngineStoppedError(
                standing.failed, standing.failed_reason, replicaId=standing.member_id
            )
        if not standing.is_leader:
            raise self._not_leader(standing)

    def note(self, event: Event) -> None:
        """Answer whoever waits for ``event``."""
        request_id = getattr(event, "request_id", "")
        if request_id in self._waiting:
            self._settle(request_id, outcome_of(event, request_id))

    def answer(self, answer: Answer) -> None:
        """Answer a request that never reached the log, or a dry run."""
        if answer.reason is None:
            outcome: _Outcome = Done(
                0, answer.request_id, message=answer.message, metadata=answer.metadata
            )
        elif answer.reason in (Reason.NOT_LEADER, Reason.NO_LEADER):
            outcome = self._not_leader(self._standing())
        elif answer.reason is Reason.OUTCOME_UNKNOWN:
            outcome = OutcomeUnknownError(answer.message, requestId=answer.request_id)
        else:
            outcome = RefusedError(answer.reason, answer.message, dict(answer.metadata))
        self._settle(answer.request_id, outcome)

    def fail(self, request_id: str, error: DirectorError) -> None:
        """Tell whoever waits that the proposal failed."""
        self._settle(request_id, error)

    def _settle(self, request_id: str, outcome: _Outcome) -> None:
        for future in self._waiting.get(request_id, ()):
            if not future.done():
                future.set_result(outcome)

    def _not_leader(self, standing: Standing) -> DirectorError:
        if standing.leader_id is None:
            return NoLeaderError(
                "no director is known to lead: an election is going on, or there is no quorum",
                replicaId=standing.member_id,
            )
        if standing.leader_id == standing.member_id:
            return NoLeaderError(
                f"{standing.member_id} has just been elected and is catching up; ask again",
                replicaId=standing.member_id,
            )
        metadata: Mapping[str, str] = {"leaderId": standing.leader_id}
        address = self._api_address_of(standing.leader_id)
        if address:
            metadata = {**metadata, "leaderAddress": address}
        return NotLeaderError(
            f"{standing.member_id} does not lead; {standing.leader_id} does", **metadata
        )


def outcome_of(event: Event, request_id: str) -> _Outcome:
    """Return what ``event`` means to the one who asked."""
    match event:
        case Rejected():
            return RefusedError(event.reason, event.message, dict(event.metadata))
        case Repeated() if event.rejected:
            return RefusedError(_reason(event.rejected), event.message, {"repeated": "true"})
        case Repeated():
            return Done(event.first_index, request_id, run_id=event.run_id, message=event.message)
        case _:
            return Done(event.index, request_id, event, run_id=getattr(event, "run_id", ""))


def _reason(word: str) -> Reason:
    return Reason(word) if word in Reason.__members__ else Reason.SAFETY_RULE


def _check(change: Change) -> None:
    if change.actor.strip().lower() == _OWN_NAME:
        raise InvalidRequestError(
            "change.actor", f"{change.actor!r} is what the director signs with; give your own name"
        )
    for field, text, chars_max in (
        ("change.request_id", change.request_id, REQUEST_ID_CHARS_MAX),
        ("change.actor", change.actor, ACTOR_CHARS_MAX),
        ("change.reason", change.reason, REASON_CHARS_MAX),
    ):
        if len(text) > chars_max:
            raise InvalidRequestError(
                field, f"has {len(text)} characters; at most {chars_max}", charsMax=chars_max
            )
        if _UNSEEN.search(text):
            raise InvalidRequestError(
                field, "has a character that ends a line, moves the cursor or hides others"
            )
