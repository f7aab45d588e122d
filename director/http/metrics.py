"""The metrics of a replica: names, meanings and labels. docs/metrics.md says the same to people.

Names of Raft mirror etcd's. Labels take their values from what is declared, and from fixed words.
"""

from director.runtime.certificate_metrics import CERTIFICATE_METRICS
from director.runtime.metrics import Kind, Metric

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

BUILD = Metric("director_build_info", _GAUGE, "1, with the version.", ("version",))

# -- agreement --------------------------------------------------------------------------------

HAS_LEADER = Metric("director_has_leader", _GAUGE, "1 if this replica knows a leader.")
IS_LEADER = Metric("director_is_leader", _GAUGE, "1 if this replica leads.")
TERM = Metric("director_term", _GAUGE, "Term of the leadership as this replica knows it.")
LEADER_CHANGES = Metric(
    "director_leader_changes_seen_total", _COUNTER, "Leaders that this replica has seen come."
)
COMMITTED = Metric(
    "director_proposals_committed_total", _COUNTER, "Log index up to which entries are committed."
)
APPLIED = Metric(
    "director_proposals_applied_total", _COUNTER, "Log index up to which entries are applied here."
)
PENDING = Metric(
    "director_proposals_pending", _GAUGE, "Proposals of this replica that wait to be committed."
)
FAILED = Metric(
    "director_proposals_failed_total",
    _COUNTER,
    "Proposals of this replica that were refused or whose outcome is unknown.",
)
COMMIT_DURATION = Metric(
    "director_commit_duration_seconds",
    _HISTOGRAM,
    "Time from a proposal of this replica to its commit.",
)
QUORUM_CONTACT_AGE = Metric(
    "director_quorum_contact_age_seconds",
    _GAUGE,
    "Time since this replica last had word from a quorum; absent before the first.",
)
VOTERS = Metric("director_voters", _GAUGE, "Replicas that vote.")
VOTERS_ACTIVE = Metric(
    "director_voters_active", _GAUGE, "Voters that the leader heard from; absent elsewhere."
)
LOG_WRITABLE = Metric(
    "director_log_writable",
    _GAUGE,
    "0 when this replica can write nothing, and so promises nothing.",
)
DISK_FULL = Metric("director_disk_full", _GAUGE, "1 while the disk has no room for the log.")
SNAPSHOTS = Metric(
    "director_snapshots_total", _COUNTER, "Snapshots by outcome: saved, failed.", ("outcome",)
)

# -- what is served ---------------------------------------------------------------------------

VIEW_AGE = Metric(
    "director_view_age_seconds",
    _GAUGE,
    "Time since this replica's view was last confirmed; +Inf if never.",
)
CONFIG_REVISION = Metric("director_config_revision", _GAUGE, "Revision of the documents in force.")
GENERATION = Metric("director_generation", _GAUGE, "Generation of the replicated state.")
WATCHERS = Metric("director_watchers", _GAUGE, "Watchers of routes connected to this replica.")
RESOLVE_REQUESTS = Metric(
    "director_resolve_requests_total",
    _COUNTER,
    "Resolves by outcome: ok, fail_open, or the reason of a refusal.",
    ("service", "region", "outcome"),
)
RESOLVE_DURATION = Metric(
    "director_resolve_duration_seconds",
    _HISTOGRAM,
    "Time from a parsed Resolve to its encoded answer.",
)

# -- regions ----------------------------------------------------------------------------------

AGENTS = Metric("director_agents", _GAUGE, "Agents of the region that are known.", ("region",))
HEARTBEAT_AGE = Metric(
    "director_agent_heartbeat_age_seconds",
    _GAUGE,
    "Time since any agent of the region was heard; +Inf if never.",
    ("region",),
)
REGION_STATE = Metric(
    "director_region_state",
    _GAUGE,
    "1 for the state the region is in: up, degraded, down, unknown, drained.",
    ("region", "state"),
)
LINK_RTT = Metric(
    "director_link_rtt_seconds",
    _GAUGE,
    "Round trip between two regions as routes use it, measured or declared.",
    ("from", "to"),
)

# -- services ---------------------------------------------------------------------------------

ACTIVE_REGION = Metric(
    "director_service_active_region",
    _GAUGE,
    "1 where the service is active, as /active says it.",
    ("service", "region"),
)
GATE_OPEN = Metric(
    "director_service_gate_open",
    _GAUGE,
    "1 if the region's agent says that the service may write under the present token.",
    ("service", "region"),
)
SITE_VERDICT = Metric(
    "director_service_region_verdict",
    _GAUGE,
    "1 for the committed verdict, up, degraded, down or unknown; no series for the others.",
    ("service", "region", "verdict"),
)
EPOCH = Metric("director_service_epoch", _GAUGE, "How often ownership has moved.", ("service",))
HAS_OWNER = Metric(
    "director_service_has_owner",
    _GAUGE,
    "1 if an active-passive service has a home.",
    ("service",),
)
RTO = Metric("director_service_rto_seconds", _GAUGE, "Recovery time objective.", ("service",))
RPO = Metric(
    "director_service_rpo_seconds",
    _GAUGE,
    "Recovery point objective; absent when none is declared.",
    ("service",),
)
PREDICTED_RTO = Metric(
    "director_service_predicted_rto_seconds",
    _GAUGE,
    "Recovery time to expect from the loss of a region now.",
    ("service",),
)
LOSS_BOUND = Metric(
    "director_service_loss_bound_seconds",
    _GAUGE,
    "Bound on the writes lost by promoting the region now; absent when unknown.",
    ("service", "region"),
)
CANDIDATES = Metric(
    "director_service_candidates",
    _GAUGE,
    "Regions that may take an active-passive service over now.",
    ("service",),
)
REPLICATION_LAG = Metric(
    "director_session_replication_lag_seconds",
    _GAUGE,
    "How far a copy was behind the home when it was last measured.",
    ("service", "from", "to"),
)
AUTOMATION_PAUSED = Metric(
    "director_automation_paused",
    _GAUGE,
    "1 while an operator has paused the automation of the service.",
    ("service",),
)
AUTOMATION_REDUCED = Metric(
    "director_automation_reduced",
    _GAUGE,
    "1 while the director does less by itself than declared, pauses and damping apart.",
    ("service",),
)
FLAP_DAMPED = Metric(
    "director_service_flap_damped",
    _GAUGE,
    "1 while flap damping keeps the director from moving the service by itself.",
    ("service",),
)
PROPOSALS_OPEN = Metric(
    "director_moves_awaiting_approval",
    _GAUGE,
    "Moves that the director would make and leaves to a person.",
    ("service",),
)
SPILLED = Metric(
    "director_service_spilled_ratio",
    _GAUGE,
    "Share of its clients that the region sends on because it is full.",
    ("service", "region"),
)
LOAD = Metric(
    "director_service_load_rps",
    _GAUGE,
    "Requests per second that the region takes; no series where nobody reports it.",
    ("service", "region"),
)
HEADROOM = Metric(
    "director_service_headroom_ratio",
    _GAUGE,
    "Free capacity of the rest against the load that the worst loss of a region displaces.",
    ("service",),
)
CAPACITY = Metric(
    "director_service_capacity_rps",
    _GAUGE,
    "Declared capacity in requests per second; no series where none is declared.",
    ("service", "region"),
)
OVERRIDES = Metric(
    "director_service_overridden",
    _GAUGE,
    "1 while an operator's verdict replaces the observed one.",
    ("service", "region"),
)

# -- failovers and drills ---------------------------------------------------------------------

FAILOVER_ACTIVE = Metric(
    "director_failover_active",
    _GAUGE,
    "1 while a failover, switchover or failback goes on.",
    ("service",),
)
FAILOVERS = Metric(
    "director_failovers_total",
    _COUNTER,
    "Runs that ended while this replica watched: settled or aborted.",
    ("service", "kind", "outcome"),
)
PHASE_DURATION = Metric(
    "director_failover_phase_duration_seconds",
    _HISTOGRAM,
    "Where the time of settled runs went.",
    ("service", "phase"),
)
MEASURED_RTO = Metric(
    "director_failover_measured_rto_seconds",
    _HISTOGRAM,
    "Recovery time of runs that published.",
    ("service",),
)
BUDGET_MISSED = Metric(
    "director_failover_budget_missed_total",
    _COUNTER,
    "Runs that took longer than the recovery time objective.",
    ("service",),
)
DRILL_SUCCESS = Metric(
    "director_drill_last_success_timestamp_seconds",
    _GAUGE,
    "Wall clock of the last drill that passed; absent before the first.",
    ("service",),
)
DRILL_FAILED = Metric(
    "director_drill_last_failed",
    _GAUGE,
    "1 if the last drill that ran to its end did not pass; absent before the first.",
    ("service",),
)
DRILL_ACTIVE = Metric(
    "director_drill_active", _GAUGE, "1 while a drill of the service runs.", ("service",)
)

WEBHOOK_PENDING = Metric(
    "director_webhook_pending",
    _GAUGE,
    "Audit records that a webhook has not taken yet.",
    ("webhook",),
)

METRICS = (
    *(value for value in tuple(globals().values()) if isinstance(value, Metric)),
    *CERTIFICATE_METRICS,
)
