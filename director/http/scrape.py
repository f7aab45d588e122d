"""Fills one scrape from what a replica knows at this moment.

Everything comes from the replicated state, from the observations behind `director status`, and from
counters that their owners keep. A scrape costs about as much as a `director status`.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from director.client.tally import Tallies
from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.core.state import State
from director.core.status import RegionView, ServiceView
from director.http import metrics as m
from director.http.active import activity
from director.http.run_counts import RunCounts
from director.http.state_series import put_automation, put_drills, put_load, put_webhooks
from director.routing.table import RouteTable, ServiceMode, Verdict
from director.runtime.certificate_metrics import put_certificates
from director.runtime.clock import boot_ms
from director.runtime.metrics import Buckets, Sheet
from director.runtime.tls import TlsFiles
from director.service.measured import MeasuredConsensus
from director.service.replica import Replica

DRAINED = "drained"
_MS_PER_S = 1_000
_US_PER_S = 1_000_000
_DISK_FULL = "DISK_FULL"
# Services described in a row before others get their turn: about a millisecond of work.
_SLICE = 16


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted as it happens.

    Attributes:
        consensus: The engine, measured.
        resolves: By outcome.
        resolve_times: How long they took.
    """

    consensus: MeasuredConsensus
    resolves: Tallies
    resolve_times: Buckets


class Scrape:
    """Makes the text of one scrape after the other.

    Args:
        replica: What is measured.
        counted: What was counted.
        version: Of this release.
        tls: The certificates of this process; None without TLS.
    """

    def __init__(
        self,
        replica: Replica,
        counted: Counted,
        *,
        version: str,
        tls: TlsFiles | None = None,
    ) -> None:
        self._replica = replica
        self._counted = counted
        self._version = version
        self._tls = tls
        self._runs = RunCounts()
        self._is_confirmed = False

    async def text(self) -> bytes:
        """Return what Prometheus reads.

        A large fleet has tens of thousands of series. Resolves and heartbeats go on meanwhile.
        """
        replica, state, now_ms = self._replica, self._replica.state, boot_ms()
        sheet = Sheet(m.METRICS)
        sheet.put(m.BUILD, 1, self._version)
        self._put_agreement(sheet, now_ms)
        self._put_served(sheet, state)
        regions = replica.core.region_views(now_ms=now_ms)
        services = replica.core.service_views(now_ms=now_ms)
        _put_regions(sheet, state, regions, services)
        _put_links(sheet, replica.hub.table)
        for number, view in enumerate(services, start=1):
            _put_service(sheet, state, view)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        self._put_runs(sheet, state)
        put_drills(sheet, state)
        put_webhooks(sheet, state)
        put_certificates(sheet, self._tls)
        return await asyncio.to_thread(sheet.text)

    def _put_agreement(self, sheet: Sheet, now_ms: int) -> None:
        consensus = self._counted.consensus
        standing, members = consensus.standing(), consensus.members()
        sheet.put(m.HAS_LEADER, standing.leader_id is not None)
        sheet.put(m.IS_LEADER, standing.is_leader)
        sheet.put(m.TERM, standing.term)
        sheet.put(m.LEADER_CHANGES, consensus.leader_change_count)
        sheet.put(m.COMMITTED, standing.commit_index)
        sheet.put(m.APPLIED, self._replica.state.applied_index)
        sheet.put(m.PENDING, consensus.pending_count)
        sheet.put(m.FAILED, consensus.failed_count)
        sheet.put_buckets(m.COMMIT_DURATION, consensus.commits)
        if standing.quorum_contact_at_ms is not None:
            age_ms = max(0, now_ms - standing.quorum_contact_at_ms)
            sheet.put(m.QUORUM_CONTACT_AGE, age_ms / _MS_PER_S)
        voters = [each for each in members if each.is_voter]
        sheet.put(m.VOTERS, len(voters))
        if standing.is_leader:
            sheet.put(m.VOTERS_ACTIVE, sum(each.is_active or each.is_leader for each in voters))
        sheet.put(m.LOG_WRITABLE, not standing.failed)
        sheet.put(m.DISK_FULL, standing.failed_reason == _DISK_FULL)
        sheet.put(m.SNAPSHOTS, consensus.snapshot_count, "saved")
        sheet.put(m.SNAPSHOTS, consensus.snapshot_failed_count, "failed")

    def _put_served(self, sheet: Sheet, state: State) -> None:
        age_ms, source = self._replica.view.label()
        self._is_confirmed = self._is_confirmed or source is Source.FRESH
        sheet.put(m.VIEW_AGE, inf if age_ms >= UINT32_MAX else age_ms / _MS_PER_S)
        sheet.put(m.CONFIG_REVISION, state.revision)
        sheet.put(m.GENERATION, state.generation)
        sheet.put(m.WATCHERS, self._replica.hub.watcher_count)
        for labels, count in self._counted.resolves.counts():
            sheet.put(m.RESOLVE_REQUESTS, count, *labels)
        sheet.put_buckets(m.RESOLVE_DURATION, self._counted.resolve_times)

    def _put_runs(self, sheet: Sheet, state: State) -> None:
        if self._is_confirmed:  # before that, what is replayed would look like news
            self._runs.look(state)
        for ended, count in sorted(self._runs.ended.items()):
            sheet.put(m.FAILOVERS, count, *ended)
        for service_id, count in sorted(self._runs.missed.items()):
            sheet.put(m.BUDGET_MISSED, count, service_id)
        for phase, buckets in sorted(self._runs.phases.items()):
            sheet.put_buckets(m.PHASE_DURATION, buckets, *phase)
        for service_id, buckets in sorted(self._runs.recoveries.items()):
            sheet.put_buckets(m.MEASURED_RTO, buckets, service_id)


def _put_regions(
    sheet: Sheet, state: State, regions: Iterable[RegionView], services: Iterable[ServiceView]
) -> None:
    verdicts: dict[str, list[Verdict]] = {}
    for service in services:
        for site in service.sites:
            verdicts.setdefault(site.region_id, []).append(site.verdict)
    for region in regions:
        name, age_ms = region.region_id, region.heard_age_ms
        sheet.put(m.AGENTS, region.agent_count, name)
        sheet.put(m.HEARTBEAT_AGE, inf if age_ms is None else max(0, age_ms) / _MS_PER_S, name)
        found = region_state(verdicts.get(name, []), is_drained=name in state.drained_regions)
        for each in (*_verdict_words(), DRAINED):
            sheet.put(m.REGION_STATE, each == found, name, each)


def region_state(verdicts: Iterable[Verdict], *, is_drained: bool) -> str:
    """Return the state of a region by the verdicts on its services, in lower case.

    ``unknown`` where nothing is judged, ``degraded`` where services fare differently.
    """
    if is_drained:
        return DRAINED
    found = set(verdicts)
    if len(found) == 1:
        return found.pop().value.lower()
    return Verdict.DEGRADED.value.lower() if found else Verdict.UNKNOWN.value.lower()


def _verdict_words() -> Iterator[str]:
    return (each.value.lower() for each in Verdict)


def _put_links(sheet: Sheet, table: RouteTable | None) -> None:
    for region_a, region_b, rtt_us in () if table is None else table.round_trips:
        sheet.put(m.LINK_RTT, rtt_us / _US_PER_S, region_a, region_b)


def _put_service(sheet: Sheet, state: State, view: ServiceView) -> None:
    name = view.service_id
    sheet.put(m.RTO, view.rto_ms / _MS_PER_S, name)
    sheet.put(m.PREDICTED_RTO, view.predicted_rto_ms / _MS_PER_S, name)
    if view.rpo_ms is not None:
        sheet.put(m.RPO, view.rpo_ms / _MS_PER_S, name)
    sheet.put(m.FAILOVER_ACTIVE, view.active_run is not None, name)
    if view.mode is ServiceMode.ACTIVE_PASSIVE:
        sheet.put(m.HAS_OWNER, view.owner is not None, name)
        sheet.put(m.EPOCH, view.token.epoch, name)
        able = [each for each in view.sites if not each.ineligibility]
        sheet.put(m.CANDIDATES, sum(each.region_id != view.owner for each in able), name)
    put_automation(sheet, state, view)
    put_load(sheet, view)
    _put_sites(sheet, state, view)


def _put_sites(sheet: Sheet, state: State, view: ServiceView) -> None:
    name = view.service_id
    for site in view.sites:
        region = site.region_id
        is_active = activity(state, name, region).is_active
        sheet.put(m.ACTIVE_REGION, is_active, name, region)
        sheet.put(m.OVERRIDES, site.override is not None, name, region)
        # Not a series for each word: with many services these would be most of all series.
        sheet.put(m.SITE_VERDICT, 1, name, region, site.verdict.value.lower())
        if view.mode is not ServiceMode.ACTIVE_PASSIVE:
            continue
        sheet.put(m.GATE_OPEN, site.gate_open, name, region)
        if site.loss_bound_ms is not None:
            sheet.put(m.LOSS_BOUND, max(0, site.loss_bound_ms) / _MS_PER_S, name, region)
        if site.lag_ms is not None and view.owner is not None:
            sheet.put(m.REPLICATION_LAG, site.lag_ms / _MS_PER_S, name, view.owner, region)
