"""Decides, on the leader only, what to propose: verdicts, grants, and the stages of runs.

It sees the replicated state, this replica's observations and the time. It may be wrong or late: a
command that is out of date by the time it commits changes nothing. What it remembers is soft and
lost with the office.

Cost matters: most calls find nothing to do. Pairs of service and region are judged only when their
evidence changed or while they are in doubt, never all of them at every tick.
"""

from dataclasses import replace
from typing import TypeAlias

from director.core.agent_view import Pair
from director.core.automation_records import Intent
from director.core.commands import (
    Command,
    GrantOwnership,
    RecordVerdicts,
    RunKind,
    Stamp,
    StartRun,
    VerdictChange,
)
from director.core.drill_run import drill_proposals, is_just_restored, recover_ms
from director.core.failback import FailbackWatch
from director.core.failover import Bench, is_idle, standing
from director.core.failover_run import Memory, RunView, next_step, remember
from director.core.health import (
    SILENT_DIRECTORS_MIN,
    Cause,
    Court,
    Judgement,
    judge,
    silent_domain_count,
)
from director.core.ids import FencingToken, GroupId, RunId
from director.core.intents import ending, proposal
from director.core.lapses import lapsed
from director.core.lease import LeaseBook
from director.core.moves import Trigger, admitted, automation_limit, start, wanted
from director.core.safety import Refusal, withholding_rule
from director.core.spill_plan import SpillWatch
from director.core.state import Group, Run, State, VerdictRecord
from director.core.topology import ServiceSpec, Topology
from director.routing.table import Override, RegionId, ServiceId, Verdict

# One entry of the log stays far below the engine's limit, and applying it below a few
# milliseconds, however many services a lost region had.
_CHANGES_PER_COMMAND_MAX = 200
# Nothing tells when an accuser falls silent; its word grows old meanwhile.
_SWEEP_MS = 1_000

Proposal: TypeAlias = tuple[str, Command]
"""A command with the key of what it is about: one proposal per key is under way at a time."""

VERDICTS_KEY = "verdicts"


class Planner:
    """The leader's judgement. Mutable memory, no clock of its own."""

    def __init__(self, leases: LeaseBook) -> None:
        self._leases = leases
        self._office_at_ms = 0
        self._attention: set[Pair] = set()
        self._good_since_ms: dict[Pair, int] = {}
        self._relapsed_at_ms: dict[Pair, int] = {}
        self._heard: dict[RegionId, bool] = {}
        self._memories: dict[RunId, Memory] = {}
        self._services: dict[ServiceId, ServiceSpec] = {}
        self._topology: Topology | None = None
        self._swept_at_ms = 0
        self._spills = SpillWatch()
        self.held: dict[GroupId, Refusal] = {}
        self._failbacks = FailbackWatch()
        self._standing: dict[GroupId, Intent] = {}

    def gained(self, *, now_ms: int) -> None:
        """Begin an office: everything is looked at again."""
        self._office_at_ms = now_ms
        self._topology = None
        self._good_since_ms = {}
        self._relapsed_at_ms = {}
        self._memories = {}
        self._heard = {}
        self._spills.gained(now_ms=now_ms)
        self.held = {}
        self._failbacks.forget()

    def plan(
        self, state: State, court: Court, stamp: Stamp, busy: frozenset[str], *, now_ms: int
    ) -> list[Proposal]:
        """Return what to propose now. Keys in ``busy`` are left alone.

        ``stamp.at_ms`` is director time, ``now_ms`` this replica's own clock.
        """
        self._learn_topology(state.topology)
        bench = Bench(state, court, self._leases, now_ms)
        proposals: list[Proposal] = []
        self._look_for_silence(court, now_ms=now_ms)
        self._sweep(state, now_ms=now_ms)
        if VERDICTS_KEY not in busy:
            changes = self._verdict_changes(bench, stamp)
            if changes:
                proposals.append((VERDICTS_KEY, RecordVerdicts(stamp, changes)))
        proposals += lapsed(state, stamp, busy)
        runs = {run.group_id: run for run in state.runs if run.is_active}
        self._standing = {each.group_id: each for each in state.intents if each.is_standing}
        self._memories = {
            run.run_id: self._memories[run.run_id]
            for run in runs.values()
            if run.run_id in self._memories
        }
        for group in state.groups:
            if group.group_id not in busy:
                command = self._for_group(bench, group, runs.get(group.group_id), stamp)
                if command is not None:
                    proposals.append((group.group_id, command))
        taken = busy | {key for key, _ in proposals}
        proposals += drill_proposals(bench, stamp, taken)
        return proposals + self._spills.due(state, court, stamp, busy, now_ms=now_ms)

    # -- verdicts --------------------------------------------------------------------------------

    def _learn_topology(self, topology: Topology) -> None:
        if topology is self._topology:
            return
        self._topology = topology
        self._services = {service.service_id: service for service in topology.services}
        self._attention = {
            (service.service_id, site.region_id)
            for service in topology.services
            for site in service.sites
        }

    def _look_for_silence(self, court: Court, *, now_ms: int) -> None:
        """Have every service of a region judged when its agents fall silent or come back."""
        assert self._topology is not None, "plan learns it first"
        for region in self._topology.regions:
            heard_ms = court.log.last_heard_ms(region.region_id)
            heard = heard_ms is not None and now_ms - heard_ms <= court.timing.suspect_ms
            if self._heard.get(region.region_id) is not heard:
                self._heard[region.region_id] = heard
                self._attention.update(
                    (service.service_id, region.region_id)
                    for service in self._topology.services
                    if service.site(region.region_id) is not None
                )

    def _sweep(self, state: State, *, now_ms: int) -> None:
        """Look again at every verdict that is not UP: evidence also goes by growing old."""
        if now_ms - self._swept_at_ms >= _SWEEP_MS:
            self._swept_at_ms = now_ms
            self._attention.update(
                pair for pair, record in state.verdicts.items() if record.verdict is not Verdict.UP
            )

    def _verdict_changes(self, bench: Bench, stamp: Stamp) -> tuple[VerdictChange, ...]:
        looked_at = self._attention | bench.court.log.take_dirty()
        self._attention = set()
        changes: list[VerdictChange] = []
        for pair in sorted(looked_at):
            service = self._services.get(pair[0])
            if service is None or service.site(pair[1]) is None:
                continue
            if len(changes) >= _CHANGES_PER_COMMAND_MAX:
                self._attention.add(pair)
                continue
            judgement = judge(bench.court, service, pair[1], now_ms=bench.now_ms)
            record = bench.state.verdicts.get(pair)
            # Before the first word of a pair there is nothing to look at again.
            said = Verdict.UNKNOWN if record is None else record.verdict
            if said is not judgement.verdict or (record is not None and record.withheld):
                self._attention.add(pair)
            if self._is_due(bench, pair, judgement, record, stamp):
                changes.append(_change(pair, judgement, stamp))
        return tuple(changes)

    def _is_due(
        self,
        bench: Bench,
        pair: Pair,
        judgement: Judgement,
        record: VerdictRecord | None,
        stamp: Stamp,
    ) -> bool:
        """Whether the judgement should be committed now."""
        timing = bench.court.timing
        office_ms = bench.now_ms - self._office_at_ms
        is_good = judgement.verdict in (Verdict.UP, Verdict.DEGRADED)
        if not is_good:
            self._note_relapse(bench, pair, judgement, record)
        match judgement.verdict:
            case Verdict.DOWN:
                # A new leader first hears everybody: silence means nothing before that.
                if judgement.cause is Cause.PEER_FAIL_AND_SILENT:
                    return _is_new_down(bench.state, pair, record, stamp) and (
                        office_ms >= timing.staleness_bound_ms
                    )
                return _is_new_down(bench.state, pair, record, stamp)
            case Verdict.UNKNOWN:
                if record is None or record.verdict in (Verdict.DOWN, Verdict.UNKNOWN):
                    return False  # missing evidence makes nothing better
                patience_ms = {
                    Cause.SILENT: timing.staleness_bound_ms,
                    Cause.NEVER_HEARD: timing.settle_ms,
                }.get(judgement.cause)
                return patience_ms is not None and office_ms >= patience_ms
            case _:
                since_ms = self._good_since_ms.setdefault(pair, bench.now_ms)
                if record is not None and record.verdict is Verdict.DOWN:
                    return bench.now_ms - since_ms >= recover_ms(bench, pair, record)
                return record is None or record.verdict is not judgement.verdict

    def _note_relapse(
        self, bench: Bench, pair: Pair, judgement: Judgement, record: VerdictRecord | None
    ) -> None:
        """Date the trouble anew if the region was well for a while, too short to be called UP.

        What its copies said meanwhile counts, or they would be as far behind as at the first
        trouble for ever.
        """
        since_ms = self._good_since_ms.pop(pair, None)
        if since_ms is None or record is None or record.verdict is not Verdict.DOWN:
            return
        if bench.now_ms - since_ms < bench.court.timing.staleness_bound_ms:
            return
        # Before this instant: from it on something is wrong.
        began_ms = max(since_ms, bench.now_ms - max(1, judgement.bad_for_ms))
        self._relapsed_at_ms[pair] = began_ms
        for site in self._services[pair[0]].sites:
            bench.court.log.keep_lag((pair[0], site.region_id), until_ms=began_ms)

    # -- ownership -------------------------------------------------------------------------------

    def _for_group(
        self, bench: Bench, group: Group, run: Run | None, stamp: Stamp
    ) -> Command | None:
        service = self._services.get(group.service_id)
        assert service is not None, "a group lives as long as its service"
        if run is not None:
            memory = remember(bench, service, run, self._memories.get(run.run_id))
            self._memories[run.run_id] = memory
            return next_step(RunView(bench, run, group, service, memory, stamp))
        if group.home is None:
            return self._first_grant(bench, group, service, stamp)
        is_clearing = is_just_restored(bench, (group.service_id, group.home), stamp)
        trigger = None if is_clearing else self._trigger(bench, group, group.home, stamp)

        def wished() -> StartRun | Refusal | None:
            if trigger is None:
                return self._failbacks.look(bench, group, service, stamp)
            return wanted(bench, group, service, trigger, stamp)

        started = (
            start(bench, group, service, trigger, stamp)
            if trigger is not None
            else _homeward(bench, service, wished(), stamp)
        )
        if isinstance(started, StartRun):
            self.held.pop(group.group_id, None)
            return started
        if started is None:
            self.held.pop(group.group_id, None)
        else:
            self.held[group.group_id] = started
        found = self._standing.get(group.group_id)
        if found is not None:
            return ending(bench, service, found, trigger, stamp)
        return None if started is None else proposal(bench, group, started, wished, stamp)

    def _first_grant(
        self, bench: Bench, group: Group, service: ServiceSpec, stamp: Stamp
    ) -> Command | None:
        token = bench.state.token(group)
        had_owner = token > FencingToken(1, 0)
        if had_owner and bench.now_ms < self._leases.stopped_at_ms(group.group_id, token):
            return None  # before its service was taken away, or before the director was restored
        sites = sorted(service.sites, key=lambda site: (site.priority, site.region_id))
        for site in sites:
            if standing(bench, service, site) is None:
                return GrantOwnership(stamp, group.group_id, site.region_id, group.epoch)
            if bench.now_ms - self._office_at_ms < bench.court.timing.settle_ms:
                return None  # the preferred region may only be starting
        return None

    def _trigger(self, bench: Bench, group: Group, home: RegionId, stamp: Stamp) -> Trigger | None:
        pair = (group.service_id, home)
        record = bench.state.verdicts.get(pair)
        override = bench.state.overrides.get(pair)
        if override is Override.FORCE_DOWN:
            return Trigger(
                RunKind.FAILOVER, f"{home} is forced down", stamp.at_ms, record, automatic=False
            )
        if is_idle(bench, group, home):
            return Trigger(
                RunKind.FAILOVER,
                f"the gate of {home} stays closed: nobody can write",
                self._idle_since_ms(bench, group, stamp),
                record,
                automatic=True,
            )
        # Forced up, it stays where it is: an operator's word outranks every verdict.
        if record is not None and override is None:
            reason = self._lost_reason(bench, group, home, record)
            if reason:
                suspected_at_ms = self._suspected_at_ms(bench, pair, record, stamp)
                return Trigger(RunKind.FAILOVER, reason, suspected_at_ms, record, automatic=True)
        is_well = record is None or record.verdict in (Verdict.UP, Verdict.DEGRADED)
        if home in bench.state.drained_regions and (is_well or override is Override.FORCE_UP):
            return Trigger(
                RunKind.SWITCHOVER, f"{home} is drained", stamp.at_ms, record, automatic=False
            )
        return None

    def _lost_reason(
        self, bench: Bench, group: Group, home: RegionId, record: VerdictRecord
    ) -> str:
        """Say why the home is lost, by its verdict and by what is seen at this moment, or "".

        A verdict outlives its evidence (hysteresis): a run that began on the verdict alone would
        find nothing to confirm, end, and begin again.
        """
        if record.verdict not in (Verdict.DOWN, Verdict.UNKNOWN):
            return ""
        service = self._services[group.service_id]
        judgement = judge(bench.court, service, home, now_ms=bench.now_ms)
        if record.verdict is Verdict.DOWN and judgement.verdict is Verdict.DOWN:
            return f"{home} is DOWN: {judgement.cause}"
        is_silent = judgement.cause in (Cause.SILENT, Cause.NEVER_HEARD)
        if is_silent and self._has_lapsed(bench, group, home):
            return f"{home} is silent and its lease ran out"
        return ""

    def _suspected_at_ms(
        self, bench: Bench, pair: Pair, record: VerdictRecord, stamp: Stamp
    ) -> int:
        """When the present trouble began, in director time."""
        relapsed_ms = self._relapsed_at_ms.get(pair)
        if relapsed_ms is None:
            return record.suspected_at_ms
        return max(record.suspected_at_ms, stamp.at_ms - (bench.now_ms - relapsed_ms))

    def _idle_since_ms(self, bench: Bench, group: Group, stamp: Stamp) -> int:
        ended_ms = self._leases.stopped_at_ms(group.group_id, bench.state.token(group))
        return stamp.at_ms - max(0, bench.now_ms - ended_ms)

    def _has_lapsed(self, bench: Bench, group: Group, home: RegionId) -> bool:
        """Whether nobody can renew the home's lease any more, and it has provably ended (ADR 3)."""
        pair = (group.service_id, home)
        silent = silent_domain_count(bench.court, pair, now_ms=bench.now_ms)
        if silent < min(SILENT_DIRECTORS_MIN, len(set(bench.court.domains.values()))):
            return False
        token = bench.state.token(group)
        return bench.now_ms >= self._leases.stopped_at_ms(group.group_id, token)


def _homeward(
    bench: Bench, service: ServiceSpec, wished: StartRun | Refusal | None, stamp: Stamp
) -> StartRun | Refusal | None:
    """Return the failback if the director may make it by itself, or why not."""
    if not isinstance(wished, StartRun):
        return wished
    return automation_limit(bench.court, service) or admitted(bench, wished, stamp)


def _is_new_down(state: State, pair: Pair, record: VerdictRecord | None, stamp: Stamp) -> bool:
    if record is None or record.verdict is not Verdict.DOWN:
        return True
    if not record.withheld:
        return False
    # It is kept in service by a rule; propose again once that rule, or another, says otherwise.
    at_now = replace(state, now_ms=max(state.now_ms, stamp.at_ms))
    return withholding_rule(at_now, *pair) != record.withheld


def _change(pair: Pair, judgement: Judgement, stamp: Stamp) -> VerdictChange:
    return VerdictChange(
        pair[0],
        pair[1],
        judgement.verdict,
        str(judgement.cause),
        suspected_at_ms=stamp.at_ms - judgement.bad_for_ms,
        evidence=judgement.evidence,
    )
