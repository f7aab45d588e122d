"""Bugs of judgement: verdicts, evidence, candidates and the loss they bring (C3, C4, D3, R2)."""

from director.core import failover, health, machine, observation_log, planner, probes_plan
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.core_world import judged, replayed

_JUDGED = judged()
_SHARED = judged(shares=True)

BUGS = (
    Bug("a region whose reports are missing is called DOWN", "C4", _JUDGED, (
        Edit(health, "judge", "return verdict(Verdict.UNKNOWN, cause)",
             "return verdict(Verdict.DOWN, Cause.PEERS_FAIL)"),
    )),
    Bug("one vantage point is enough", "C4", _JUDGED, (
        Edit(health, "judge", "accusation.domain_count >= service.health.observers_agree",
             "accusation.domain_count >= 1"),
    )),
    Bug("the region's own failure domain counts as a vantage point, by both rules", "C4", _SHARED, (
        Edit(health, "_accusation", " or region.failure_domain == own_domain", ""),
        Edit(probes_plan, "_observers",
             "region.failure_domain != judged.failure_domain", "region.region_id != region_id"),
    )),
    Bug("two vantage points in one failure domain count as two, by both rules", "C4", _SHARED, (
        Edit(health, "_accusation", "len(fails_for_ms),", "len(accusers),"),
        Edit(probes_plan, "_observers", "by_domain.setdefault(region.failure_domain, region)",
             "by_domain.setdefault(region.region_id, region)"),
    )),
    Bug("an agent that sees everybody fail is believed", "C4", _JUDGED, (
        Edit(health, "_accusation", "_FAIL if word.is_believed else _NOT_BELIEVED", "_FAIL"),
    )),
    Bug("a follower that is out of touch bears witness", "C4", _JUDGED, (
        Edit(health, "_is_in_touch",
             "view is not None and now_ms - view.seen_at_ms <= court.timing.staleness_bound_ms",
             "True"),
    )),
    Bug("one accuser is enough against a region that is heard", "C4", _JUDGED, (
        Edit(health, "judge", "if accusation.domain_count >= 1 and",
             "if accusation.domain_count >= 1 or False and"),
    )),
    Bug("a director beside the region bears witness to its silence", "C4", _JUDGED, (
        Edit(health, "judge", "silence.silent_elsewhere_count", "silence.silent_domain_count"),
    )),
    Bug("unknown lag is taken for 0", "D3", _JUDGED, (
        Edit(failover, "_loss_ms", "if covered_ms is None:\n        return None",
             "if covered_ms is None:\n        return 0"),
    )),
    Bug("what a copy says after its home was lost counts", "D3", _JUDGED, (
        Edit(failover, "covered_through_ms", "if sample.at_ms <= until_ms", ""),
    )),
    Bug("what the home may write until its lease ends is not counted as lost", "D3", _JUDGED, (
        Edit(failover, "_loss_ms",
             "home_ends_ms = bench.leases.stopped_at_ms(group.group_id, token)",
             "home_ends_ms = suspected_ms"),
    )),
    Bug("a healthy home moves back to where the service would rather be", "C3", _JUDGED, (
        Edit(planner, "Planner._trigger", "    return None\n",
             "    preferred = min(self._services[group.service_id].sites,"
             " key=lambda each: each.priority).region_id\n"
             "    if home == preferred or bench.state.drained_regions:\n"
             "        return None\n"
             "    return Trigger(RunKind.FAILBACK, 'preferred', stamp.at_ms, record,"
             " automatic=False)\n"),
    )),
    Bug("drains that are asked for at once all pass", "R2", _JUDGED, (
        Edit(machine, "_set_region_drained",
             "drain_refusal(state, region_id) if command.drained else None", "None"),
    )),
    Bug("a report of an earlier boot is accepted", "C4", replayed(), (
        Edit(observation_log, "ObservationLog._view_of",
             "report.boot_id in view.retired_boots", "False"),
    )),
    Bug("a report that was overtaken is accepted", "C4", replayed(), (
        Edit(observation_log, "ObservationLog.observe",
             "report.counter <= view.counter_at.get(report.heard_by, 0)", "False"),
        Edit(observation_log, "ObservationLog.observe",
             "report.counter <= view.counter:", "False:"),
    )),
)  # fmt: skip
