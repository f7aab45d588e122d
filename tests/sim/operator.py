"""An operator's client: sends changes to the directors and asks again, as the command line does.

A round asks every director once, a leader that one of them names first. What can only pass (no
leader, an unknown outcome, no answer in time) is asked again with the same command id, so that a
change is made once, however often it was sent (invariant C1, fault 37).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from director.core.commands import RunKind
from director.core.inputs import Ask, Asked, DrainAsked, ManifestAsked, MoveAsked
from director.core.reasons import Reason
from director.core.topology import Topology
from director.routing.table import RegionId, ServiceId
from tests.sim.clock import NodeClock
from tests.sim.cluster import Cluster
from tests.sim.network import Plane
from tests.sim.process import Process
from tests.sim.region import SERVICE
from tests.sim.replica import Replica

HOST = "operator"
"""Stands beside every machine, unless a scenario cuts it off."""
# As the command line: one director gets this long before the next one is asked.
ATTEMPT_MS_MAX = 3_000
PAUSE_MS = 200
DEADLINE_MS = 10_000
_LOOK_EVERY_MS = 10
# The same request may succeed at once elsewhere, or here in a moment.
_PASSING = frozenset(
    {Reason.NOT_LEADER, Reason.NO_LEADER, Reason.OUTCOME_UNKNOWN, Reason.UNAVAILABLE}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operator was told.

    Attributes:
        reason: Why it was refused; None when it was done, or would be.
        replica_id: Who said so; "" when nobody was reached.
        index: Log index of the entry that decided; 0 without one.
        run_id: The run it began; "" if none.
    """

    command_id: str
    reason: Reason | None
    message: str
    replica_id: str = ""
    leader_id: str | None = None
    index: int = 0
    run_id: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the change stands."""
        return self.reason is None


@dataclass(slots=True, eq=False)
class Request:
    """One change on its way. ``answer`` comes once; ``heard`` is every answer on the way to it."""

    asked: Asked
    at: Replica | None
    end_ms: int
    answer: Answer | None = None
    heard: list[Answer] = field(default_factory=list)
    round: list[Replica] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    attempt: int = 0


class Operator:
    """A person with the directors' addresses.

    Args:
        cluster: The fleet.
        name: Who asks, as the audit shows it.
    """

    def __init__(self, cluster: Cluster, name: str = "operator") -> None:
        self.name = name
        self._cluster = cluster
        self._world = cluster.world
        clock = NodeClock(self._world.schedule, 0, 0)
        self.process = Process(f"operator {name}", HOST, self._world.schedule, clock)
        self.process.start()

    # -- asking ------------------------------------------------------------------------------------

    def ask(
        self,
        ask: Ask,
        command_id: str,
        *,
        at: Replica | None = None,
        within_ms: int = DEADLINE_MS,
        validate_only: bool = False,
    ) -> Answer | None:
        """Ask, and let time pass until there is an answer; None if there is none in time.

        Only for the hand that moves time. From within an event use ``send``.

        Args:
            ask: What is to be changed.
            command_id: The same id is the same change, however often it is asked.
            at: Ask this replica alone, and take whatever it says.
            within_ms: How long all attempts together may take.
            validate_only: Ask what would happen.
        """
        request = self.send(
            ask, command_id, at=at, within_ms=within_ms, validate_only=validate_only
        )
        while request.answer is None and self._world.now_ms < request.end_ms:
            self._world.schedule.run_until(self._world.now_ms + _LOOK_EVERY_MS)
        return request.answer

    def send(
        self,
        ask: Ask,
        command_id: str,
        *,
        at: Replica | None = None,
        within_ms: int = DEADLINE_MS,
        validate_only: bool = False,
    ) -> Request:
        """Begin to ask. The answer comes into what is returned, while time passes."""
        assert command_id, "every change has an id"
        asked = Asked(command_id, self.name, "simulated", ask, validate_only)
        request = Request(asked, at, self._world.now_ms + within_ms)
        self._world.trace.note(f"{self.name} asks {type(ask).__name__} as {command_id}")
        self._begin_round(request)
        return request

    def _begin_round(self, request: Request) -> None:
        if request.answer is not None or self._world.now_ms >= request.end_ms:
            return
        request.round = [request.at] if request.at else list(self._cluster.replicas.values())
        request.tried = []
        self._next(request)

    def _next(self, request: Request) -> None:
        """Ask the next director of the round; after the last one, pause and begin anew."""
        request.attempt += 1
        attempt = request.attempt
        if not request.round:
            if request.at is not None and request.heard:
                request.answer = request.heard[-1]
                return
            self.process.after(PAUSE_MS, lambda: self._begin_round(request))
            return
        replica = request.round.pop(0)
        request.tried.append(replica.replica_id)

        def heard(answer: Answer) -> None:
            self._heard(request, attempt, answer)

        def refused() -> None:
            heard(Answer(request.asked.request_id, Reason.UNAVAILABLE, "connection refused"))

        def late() -> None:
            heard(Answer(request.asked.request_id, Reason.UNAVAILABLE, "no answer in time"))

        self._world.network.send(
            self.process,
            replica.process,
            Plane.AGENTS,  # the same port
            lambda: self._arrive(replica, request.asked, heard),
            refused,
        )
        self.process.after(ATTEMPT_MS_MAX, late)

    def _heard(self, request: Request, attempt: int, answer: Answer) -> None:
        is_late = attempt != request.attempt or self._world.now_ms > request.end_ms
        if is_late or request.answer is not None:
            return
        request.heard.append(answer)
        if answer.reason not in _PASSING:
            request.answer = answer
            word = "done" if answer.reason is None else str(answer.reason)
            self._world.trace.note(f"{answer.replica_id} answers {answer.command_id}: {word}")
            return
        leader = self._cluster.replicas.get(answer.leader_id or "")
        if request.at is None and leader is not None and leader.replica_id not in request.tried:
            request.round = [leader, *(each for each in request.round if each is not leader)]
        self._next(request)

    # -- at the director ---------------------------------------------------------------------------

    def _arrive(self, replica: Replica, asked: Asked, heard: Callable[[Answer], None]) -> None:
        """A director takes the request in: a follower says who leads, the leader decides."""
        if not replica.leads:
            leader_id = replica.raft.node.leader_id
            is_known = leader_id not in (None, replica.replica_id)
            reason = Reason.NOT_LEADER if is_known else Reason.NO_LEADER
            self._reply(
                replica,
                Answer(
                    asked.request_id,
                    reason,
                    f"{replica.replica_id} does not lead",
                    replica.replica_id,
                    leader_id if is_known else None,
                ),
                heard,
            )
            return
        replica.answers.pop(asked.request_id, None)
        replica.receive(asked)
        self._await_outcome(replica, asked, heard)

    def _await_outcome(
        self, replica: Replica, asked: Asked, heard: Callable[[Answer], None]
    ) -> None:
        answer = _outcome(replica, asked)
        if answer is not None:
            self._reply(replica, answer, heard)
        else:
            replica.process.after(
                _LOOK_EVERY_MS, lambda: self._await_outcome(replica, asked, heard)
            )

    def _reply(self, replica: Replica, answer: Answer, heard: Callable[[Answer], None]) -> None:
        self._world.network.send(
            replica.process, self.process, Plane.AGENTS, lambda: heard(answer), lambda: None
        )

    # -- what is often asked -----------------------------------------------------------------------

    def switch_over(
        self, command_id: str, target: str | None = None, *, service_id: ServiceId = SERVICE
    ) -> Answer | None:
        """Ask for a planned move."""
        to = None if target is None else RegionId(target)
        return self.ask(MoveAsked(RunKind.SWITCHOVER, service_id, to), command_id)

    def fail_over(
        self, command_id: str, target: str | None = None, *, accept_loss_ms: int | None = None
    ) -> Answer | None:
        """Ask for an unplanned move, naming the loss to accept."""
        to = None if target is None else RegionId(target)
        move = MoveAsked(RunKind.FAILOVER, SERVICE, to, accept_loss_ms=accept_loss_ms)
        return self.ask(move, command_id)

    def drain(self, command_id: str, region_id: str) -> Answer | None:
        """Ask for a region to be drained."""
        return self.ask(DrainAsked(RegionId(region_id), drained=True), command_id)

    def undrain(self, command_id: str, region_id: str) -> Answer | None:
        """Ask for a drain to end."""
        return self.ask(DrainAsked(RegionId(region_id), drained=False), command_id)

    def declare(self, command_id: str, topology: Topology) -> Answer | None:
        """Apply documents."""
        # Two different documents never have the same source.
        return self.ask(ManifestAsked(topology, command_id), command_id)


def _outcome(replica: Replica, asked: Asked) -> Answer | None:
    """What this replica can say of the request by now."""
    command_id = asked.request_id
    said = replica.answers.pop(command_id, None)
    if said is not None:
        return Answer(command_id, said.reason, said.message, replica.replica_id)
    for outcome in reversed(replica.director.state.requests):
        if outcome.request_id == command_id:
            reason = Reason(outcome.rejected) if outcome.rejected else None
            return Answer(
                command_id,
                reason,
                outcome.message,
                replica.replica_id,
                index=outcome.index,
                run_id=outcome.run_id,
            )
    return None
