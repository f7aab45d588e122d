"""What would happen if the owner of a service were lost now: candidate by candidate, with reasons.

Made of what the planner itself asks: the same candidates in the same order, the same rules.
"""

from dataclasses import dataclass, replace

from director.core.commands import RunKind, Stamp, StartRun
from director.core.failover import Candidate, Ineligible
from director.core.safety import Refusal, start_refusal
from director.core.state import Run, State
from director.core.status import ServiceView, SiteView
from director.core.topology import Automation
from director.routing.table import RegionId, Verdict

_TEXTS = {
    Ineligible.DRAINED: "drained by an operator",
    Ineligible.OVERRIDE_DOWN: "forced down by an operator",
    Ineligible.NEVER_REPORTED: "no agent there has ever reported",
    Ineligible.SILENT: "its agents are silent, so nobody could open its gate",
    Ineligible.NOT_PASSING: "its own agent does not see the service pass",
    Ineligible.RESIDENCY: "a residency rule keeps the data of the owner's subjects out of there",
    Ineligible.LAG_UNKNOWN: "how far its copy is behind is not known, so the loss has no bound",
}


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One region that could take over, or could not.

    Attributes:
        chosen: A failover that began now would move the service there.
        reason: Why it may not take over; "" when it may.
        text: The same, or what speaks for it, for people.
    """

    region_id: RegionId
    priority: int
    chosen: bool
    reason: str
    text: str
    loss_bound_ms: int | None
    lag_ms: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class FailoverExplanation:
    """What a failover would come to.

    Attributes:
        candidates: In the order of choice, best first. Empty when nothing is owned.
        held: What would keep the director from moving the service by itself now; None: nothing.
        last_run: The newest run of the service; None when none is kept.
    """

    candidates: tuple[CandidateView, ...]
    held: Refusal | None
    last_run: Run | None


def explain_failover(state: State, view: ServiceView) -> FailoverExplanation:
    """Explain the service in ``view``.

    Args:
        state: What is replicated, with ``now_ms`` of this moment.
        view: The service as the replica sees it.
    """
    chosen = next((each for each in view.candidates if each.ineligible is None), None)
    sites = {each.region_id: each for each in view.sites}
    runs = (run for run in reversed(state.runs) if run.service_id == view.service_id)
    return FailoverExplanation(
        tuple(
            _candidate(view, each, sites[each.region_id], is_chosen=each is chosen)
            for each in view.candidates
        ),
        None if chosen is None else _held(state, view, chosen),
        next(runs, None),
    )


def _candidate(
    view: ServiceView, candidate: Candidate, site: SiteView, *, is_chosen: bool
) -> CandidateView:
    reason = candidate.ineligible
    return CandidateView(
        candidate.region_id,
        candidate.priority,
        is_chosen,
        "" if reason is None else reason.value,
        _fitness(view, candidate) if reason is None else _text(view, candidate, site, reason),
        candidate.loss_bound_ms,
        candidate.lag_ms,
        site.verdict,
    )


def _fitness(view: ServiceView, candidate: Candidate) -> str:
    if candidate.loss_bound_ms is None:
        loss = "the loss has no bound"
    else:
        loss = f"could lose {candidate.loss_bound_ms} ms"
    objective = "no RPO is declared" if view.rpo_ms is None else f"RPO {view.rpo_ms} ms"
    return f"priority {candidate.priority}, {loss} ({objective})"


def _text(view: ServiceView, candidate: Candidate, site: SiteView, reason: Ineligible) -> str:
    if reason is Ineligible.DOWN:
        return f"DOWN: {site.reason}"
    if reason is Ineligible.RPO_EXCEEDED:
        return f"could lose {candidate.loss_bound_ms} ms; the RPO is {view.rpo_ms} ms"
    return _TEXTS.get(reason, reason.value)


def _held(state: State, view: ServiceView, chosen: Candidate) -> Refusal | None:
    """Ask the rules about the run that would be started."""
    service = state.topology.service(view.service_id)
    assert service is not None, "the view is of a declared service"
    group = state.group(service.group_ids[0])
    if group is None or group.home is None or view.automation is not Automation.AUTOMATIC:
        return None  # the view says so already
    command = StartRun(
        Stamp(state.now_ms),
        RunKind.FAILOVER,
        group.group_id,
        chosen.region_id,
        group.epoch,
        automatic=True,
        suspected_at_ms=state.now_ms,
        loss_bound_ms=chosen.loss_bound_ms,
    )
    return start_refusal(state, command)


def at(state: State, now_ms: int) -> State:
    """Return ``state`` as of director time ``now_ms``, which goes on between entries."""
    return replace(state, now_ms=max(state.now_ms, now_ms))
