"""The metrics of an agent: what it counts as it happens, and what one scrape says.

docs/metrics.md says the same to people. Labels take their values from the configuration and from
the probe plan that the directors send.
"""

from collections.abc import Callable, Iterator

from director.client.tally import Tallies
from director.routing.table import RegionId, ServiceId
from director.runtime.certificate_metrics import CERTIFICATE_METRICS, put_certificates
from director.runtime.clock import boot_ms
from director.runtime.metrics import Kind, Metric, Sheet
from director.runtime.tls import TlsFiles
from regions.api.view import Gatekeeper, View
from regions.core.ids import ReplicaId

_US_PER_S = 1_000_000
_MS_PER_S = 1_000

BUILD = Metric(
    "director_agent_build_info", Kind.GAUGE, "1, with version and region.", ("version", "region")
)
GATE_OPEN = Metric(
    "director_agent_gate_open", Kind.GAUGE, "1 while the service may write here.", ("service",)
)
LEASE_REMAINING = Metric(
    "director_agent_lease_remaining_seconds",
    Kind.GAUGE,
    "Time until the gate closes unless the lease is renewed; 0 when it is closed.",
    ("service",),
)
DIRECTORS = Metric(
    "director_agent_directors_connected", Kind.GAUGE, "Directors that this agent reports to."
)
REPORT_AGE = Metric(
    "director_agent_report_age_seconds",
    Kind.GAUGE,
    "Time since a report was last handed to the director's stream; absent while not connected.",
    ("director",),
)
PROBES = Metric(
    "director_agent_probe_results_total",
    Kind.COUNTER,
    "Probes by result: passed, failed.",
    ("service", "region", "result"),
)
PROBE_RTT = Metric(
    "director_agent_probe_rtt_seconds",
    Kind.GAUGE,
    "Round trip that the last probe of the region measured.",
    ("region",),
)
VIEW_AGE = Metric(
    "director_agent_view_age_seconds", Kind.GAUGE, "Age of the routes that it answers from."
)
RESOLVES = Metric(
    "director_agent_resolve_requests_total",
    Kind.COUNTER,
    "Resolves by outcome: ok, fail_open, or the reason of a refusal.",
    ("service", "region", "outcome"),
)

METRICS = (
    BUILD,
    GATE_OPEN,
    LEASE_REMAINING,
    DIRECTORS,
    REPORT_AGE,
    PROBES,
    PROBE_RTT,
    VIEW_AGE,
    RESOLVES,
    *CERTIFICATE_METRICS,
)


class Counts:
    """What the agent counts as it happens."""

    def __init__(self) -> None:
        self._probes: dict[tuple[str, str, str], int] = {}
        self._rtt_us: dict[str, int] = {}
        self._reported_at_ms: dict[ReplicaId, int] = {}

    def probed(
        self, service_id: ServiceId, region_id: RegionId, *, passed: bool, rtt_us: int | None
    ) -> None:
        """Count one probe, and keep its round trip in microseconds if it measured one."""
        labels = (service_id, region_id, "passed" if passed else "failed")
        self._probes[labels] = self._probes.get(labels, 0) + 1
        if rtt_us is not None:
            self._rtt_us[region_id] = rtt_us

    def reported(self, director_id: ReplicaId, *, now_ms: int) -> None:
        """Note that a report was handed to the stream of a director."""
        self._reported_at_ms[director_id] = now_ms

    def disconnected(self, director_id: ReplicaId) -> None:
        """Forget the stream of a director."""
        self._reported_at_ms.pop(director_id, None)

    def probes(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """Yield (service, region, result) and how often, sorted."""
        yield from sorted(self._probes.items())

    def round_trips_us(self) -> Iterator[tuple[str, int]]:
        """Yield each region and its last round trip, sorted."""
        yield from sorted(self._rtt_us.items())

    def reports_at_ms(self) -> Iterator[tuple[str, int]]:
        """Yield each connected director and the instant of the last report to it, sorted."""
        yield from sorted(self._reported_at_ms.items())


class Vitals:
    """Makes the text of one scrape after the other.

    Args:
        region_id: Where the agent runs.
        version: Of this release.
        counts: What was counted.
        tls: The certificates of this process; None without TLS.
        now_ms: The clock of the gates.
    """

    def __init__(
        self,
        region_id: RegionId,
        version: str,
        counts: Counts,
        *,
        tls: TlsFiles | None = None,
        now_ms: Callable[[], int] = boot_ms,
    ) -> None:
        self.region_id = region_id
        self._version = version
        self._counts = counts
        self._tls = tls
        self._now_ms = now_ms

    def text(self, gates: Gatekeeper, view: View, resolves: Tallies) -> bytes:
        """Return what Prometheus reads."""
        now_ms = self._now_ms()
        sheet = Sheet(METRICS)
        sheet.put(BUILD, 1, self._version, self.region_id)
        for service_id in gates.service_ids():
            answer = gates.check(service_id)
            is_open = answer is not None and answer.may_write
            sheet.put(GATE_OPEN, is_open, service_id)
            left_ms = gates.lease_left_ms(service_id) if is_open else 0
            sheet.put(LEASE_REMAINING, left_ms / _MS_PER_S, service_id)
        reports = list(self._counts.reports_at_ms())
        sheet.put(DIRECTORS, len(reports))
        for director_id, at_ms in reports:
            sheet.put(REPORT_AGE, max(0, now_ms - at_ms) / _MS_PER_S, director_id)
        for labels, count in self._counts.probes():
            sheet.put(PROBES, count, *labels)
        for region_id, rtt_us in self._counts.round_trips_us():
            sheet.put(PROBE_RTT, rtt_us / _US_PER_S, region_id)
        sheet.put(VIEW_AGE, view.view_age_ms() / _MS_PER_S)
        for labels, count in resolves.counts():
            sheet.put(RESOLVES, count, *labels)
        put_certificates(sheet, self._tls)
        return sheet.text()
