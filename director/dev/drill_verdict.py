"""What a drill demands before it begins and what it makes of what it measured. Pure.

Times are milliseconds since the fault unless a name says otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

SWITCHOVER = "switchover"


class Outcome(StrEnum):
    """How a drill ended; the worst that applies."""

    PASS = "PASS"  # noqa: S105 - not a password
    BUDGET_MISSED = "BUDGET MISSED"
    FAIL = "FAIL"
    ABORTED = "ABORTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict. ``is_budget``: a miss is a missed budget, not a broken promise."""

    name: str
    passed: bool
    detail: str
    is_budget: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a drill is about to do.

    Attributes:
        lost_voter_count: Voting director replicas that are lost with the region.
    """

    service_id: str
    region_id: str
    how: str
    lost_voter_count: int


@dataclass(frozen=True, slots=True)
class Service:
    """The service as the leader saw it before the fault.

    Attributes:
        running: Names of failovers going on, of any service.
        loss_bounds_ms: Region to the bound on writes lost if it took over; None is unknown.
        ineligible: Region to why it may not take over; only those that may not.
        blind: Directors that know of no region which may take over. One of them may have to lead
            when the leader is lost with the region, and would wait for ever: lag that was not
            measured before the fault stays unknown (D3).
    """

    mode: str
    owner: str
    is_gate_open: bool
    automation: str
    automation_note: str
    rpo_ms: int | None
    running: tuple[str, ...]
    loss_bounds_ms: dict[str, int | None]
    ineligible: dict[str, str]
    voters_alive: int
    voter_count: int
    blind: tuple[str, ...] = ()


def seconds(milliseconds: int | None) -> str:
    """Return a duration as people read it, e.g. ``5.2s``."""
    return "unknown" if milliseconds is None else f"{milliseconds / 1_000:.1f}s"


def guards(plan: Plan, service: Service) -> list[Check]:
    """Return what must hold before a region is lost on purpose, each with its finding (C8)."""
    return [
        Check(
            "owner",
            service.mode == "ActivePassive" and service.owner == plan.region_id,
            f"{plan.service_id} is {service.mode}, owned by {service.owner or 'nobody'}"
            + (
                ""
                if service.owner == plan.region_id
                else f"; losing {plan.region_id} moves nothing"
            ),
        ),
        Check(
            "writes",
            service.is_gate_open,
            f"gate of {service.owner} is {'open' if service.is_gate_open else 'closed'}",
        ),
        Check(
            "idle",
            not service.running,
            f"failover {', '.join(service.running)} in progress"
            if service.running
            else "no failover in progress",
        ),
        _automation(plan, service),
        _standby(service),
        _quorum(plan, service),
        Check(
            "evidence",
            not service.blind,
            f"{', '.join(service.blind)} has not heard of a standby yet"
            if service.blind
            else "every director knows the standby's lag",
        ),
    ]


def _automation(plan: Plan, service: Service) -> Check:
    wanted = plan.how == SWITCHOVER or service.automation == "Automatic"
    note = f" ({service.automation_note})" if service.automation_note else ""
    return Check("automation", wanted, f"automation is {service.automation}{note}")


def _standby(service: Service) -> Check:
    best: list[tuple[int, str]] = []
    said: list[str] = []
    for region_id, bound_ms in sorted(service.loss_bounds_ms.items()):
        if region_id == service.owner:
            continue
        why = service.ineligible.get(region_id, "")
        if not why and service.rpo_ms is not None:
            if bound_ms is None:
                why = "lag unknown"
            elif bound_ms > service.rpo_ms:
                why = f"lag {seconds(bound_ms)} > {seconds(service.rpo_ms)}"
        if why:
            said.append(f"{region_id}: {why}")
        else:
            best.append((bound_ms or 0, region_id))
    if not best:
        return Check("standby", passed=False, detail="; ".join(said) or "there is no other region")
    bound_ms, region_id = min(best)
    limit = "" if service.rpo_ms is None else f" <= {seconds(service.rpo_ms)}"
    return Check(
        "standby", passed=True, detail=f"{region_id} eligible, lag {seconds(bound_ms)}{limit}"
    )


def _quorum(plan: Plan, service: Service) -> Check:
    left = service.voters_alive - plan.lost_voter_count
    needed = service.voter_count // 2 + 1
    return Check(
        "quorum",
        left >= needed,
        f"{left} of {service.voter_count} directors left, {needed} needed",
    )


@dataclass(frozen=True, slots=True)
class Resolve:
    """Where one client was sent for one service; a region, or the refusal."""

    client: str
    place: str
    service_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What was seen after the region came back.

    Attributes:
        heard: Its agent was heard again within the time allowed.
        verdict: The service's verdict there at the end.
        is_gate_open: Its gate, as its agent reported it.
        write_statuses: HTTP statuses of writes sent to its service; none of them may be 200.
        agree: All replicas hold the same state.
    """

    heard: bool
    verdict: str
    is_gate_open: bool
    write_statuses: tuple[int, ...]
    voters_alive: int
    voter_count: int
    agree: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What the write logs say: intervals of accepted writes, and what was lost.

    Attributes:
        lost_span_ms: From the oldest acknowledged write that the new owner does not have to the
            last one acknowledged by the old owner.
    """

    write_count: int
    interval_count: int
    overlaps: tuple[str, ...]
    lost_count: int
    lost_span_ms: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything a drill saw. None means that it was not there to be seen."""

    plan: Plan
    run_id: str
    stage: str
    cause: str
    target: str
    rto_ms: int
    expected_rto_ms: int | None
    rpo_ms: int | None
    loss_bound_ms: int | None
    director_rto_ms: int | None
    is_writing: bool
    first_write_ms: int | None
    watchers_moved_ms: tuple[int, ...]
    watcher_count: int
    resolve_failures: tuple[str, ...]
    resolved_count: int
    after: tuple[Resolve, ...]
    restored: Restored | None
    proof: Proof | None

    @property
    def recovered_ms(self) -> int | None:
        """Recovery time as the clients saw it: until the last of them was back."""
        seen = [self.first_write_ms, *self.watchers_moved_ms, self.director_rto_ms]
        return max((each for each in seen if each is not None), default=None)


def checks(measured: Measured) -> list[Check]:
    """Return every line of the verdict."""
    lines = [
        Check(
            "moved",
            measured.stage == "settled" and measured.target != measured.plan.region_id,
            f"{measured.run_id or 'no failover'}: {measured.stage or 'never started'}"
            + (f", {measured.cause}" if measured.cause else "")
            + (f", now in {measured.target}" if measured.stage == "settled" else ""),
        ),
        _rto(measured),
        _rpo(measured),
        _clients(measured),
        _routes(measured),
    ]
    if measured.is_writing:
        first_ms = measured.first_write_ms
        said = f"after {seconds(first_ms)}" if first_ms is not None else "never"
        where = measured.target or "another region"
        lines.append(
            Check("writes", first_ms is not None, f"first write accepted in {where} {said}")
        )
    if measured.restored is not None:
        lines += _back(measured.plan.region_id, measured.restored)
    if measured.proof is not None:
        lines.append(_one_writer(measured.proof))
    return lines


def _rto(measured: Measured) -> Check:
    recovered_ms = measured.recovered_ms
    limit_ms = min(filter(None, (measured.rto_ms, measured.expected_rto_ms)), default=0)
    expected = (
        ""
        if measured.expected_rto_ms is None
        else f" of {seconds(measured.expected_rto_ms)} expected"
    )
    return Check(
        "RTO",
        recovered_ms is not None and (not limit_ms or recovered_ms <= limit_ms),
        f"{seconds(recovered_ms)}{expected} (objective {seconds(measured.rto_ms)}; "
        f"the director's own account {seconds(measured.director_rto_ms)})",
        is_budget=True,
    )


def _rpo(measured: Measured) -> Check:
    if measured.rpo_ms is None:
        return Check("RPO", passed=True, detail="none declared", is_budget=True)
    bound_ms, proof = measured.loss_bound_ms, measured.proof
    lost_ms = None if proof is None else proof.lost_span_ms
    lost = "" if proof is None else f"; lost {proof.lost_count} writes of {seconds(lost_ms)}"
    return Check(
        "RPO",
        bound_ms is not None and bound_ms <= measured.rpo_ms and (lost_ms or 0) <= measured.rpo_ms,
        f"at most {seconds(bound_ms)} of {seconds(measured.rpo_ms)}{lost}",
        is_budget=True,
    )


def _clients(measured: Measured) -> Check:
    moved = len(measured.watchers_moved_ms)
    last = seconds(max(measured.watchers_moved_ms, default=None))
    return Check(
        "watchers",
        moved == measured.watcher_count,
        f"{moved} of {measured.watcher_count} moved, the last after {last}",
    )


def _routes(measured: Measured) -> Check:
    lost = measured.plan.region_id
    # With only its agent gone, what needs no gate goes on being served there.
    is_lost = measured.plan.how in ("kill", "stop")
    wrong = [
        f"{each.client} ({each.service_id} -> {each.answer})"
        for each in measured.after
        if (each.service_id == measured.plan.service_id and each.answer != measured.target)
        or (is_lost and each.answer == lost)
    ]
    failed = len(measured.resolve_failures)
    return Check(
        "resolves",
        not wrong and not failed,
        f"{measured.resolved_count} answered, {failed} failed"
        + (f", first: {measured.resolve_failures[0]}" if failed else "")
        + (f"; wrong: {', '.join(wrong)}" if wrong else ""),
    )


def _back(region_id: str, restored: Restored) -> list[Check]:
    refused = bool(restored.write_statuses) and 200 not in restored.write_statuses  # noqa: PLR2004 - HTTP's own number
    return [
        Check(
            "restored",
            restored.heard and restored.verdict == "UP",
            f"{region_id} is {restored.verdict or 'unheard'}",
        ),
        Check(
            "directors",
            restored.voters_alive == restored.voter_count and restored.agree,
            f"quorum {restored.voters_alive}/{restored.voter_count}"
            + ("" if restored.agree else ", states differ"),
        ),
        Check(
            "fenced",
            refused and not restored.is_gate_open,
            f"{len(restored.write_statuses)} writes sent to {region_id}: "
            + (
                "all refused"
                if refused
                else f"answers {sorted(set(restored.write_statuses)) or 'none'}"
            )
            + (", but its gate is open" if restored.is_gate_open else ""),
        ),
    ]


def _one_writer(proof: Proof) -> Check:
    return Check(
        "one writer",
        not proof.overlaps and proof.write_count > 0,
        f"{proof.write_count} acknowledged writes under {proof.interval_count} tokens, "
        + (proof.overlaps[0] if proof.overlaps else "no overlap"),
    )


def outcome(lines: Iterable[Check], stage: str) -> Outcome:
    """Return how the drill ended: a broken promise outweighs a missed budget."""
    if stage == "aborted":
        return Outcome.ABORTED
    failed = [each for each in lines if not each.passed]
    if any(not each.is_budget for each in failed):
        return Outcome.FAIL
    return Outcome.BUDGET_MISSED if failed else Outcome.PASS


def refused(lines: Sequence[Check]) -> list[Check]:
    """Return the guards that do not hold."""
    return [each for each in lines if not each.passed]
