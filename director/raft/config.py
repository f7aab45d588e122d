"""The settings of one replica's Raft, with their units and the relations between them."""

from dataclasses import dataclass

from director.raft.messages import ReplicaId

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RaftConfig:
    """How one replica takes part. Durations are counted in ticks; the driver owns the tick.

    Raises:
        ValueError: a value is out of range, or two of them contradict each other. The message
            lists every fault.
    """

    replica_id: ReplicaId
    election_ticks: int = 10
    """A follower campaigns after a random number of silent ticks in [this, twice this). A leader
    without a quorum for this long steps down."""
    heartbeat_ticks: int = 1
    inflight_count_max: int = 256
    """APPEND messages with entries sent to one replica and not yet answered."""
    append_bytes_max: int = 1 * MIB
    """Of entries in one APPEND. A single larger entry still travels, alone."""
    uncommitted_bytes_max: int = 64 * MIB
    """Of entries a leader holds that are not applied yet. Beyond it proposals are refused."""
    promote_lag_entries_max: int = 1_024
    """How far behind the leader's last entry a learner may be when it becomes a voter. A fraction
    of a second of writes: the new quorum must not wait for it."""
    pre_vote: bool = True
    """Ask before campaigning, so that a replica that cannot win raises nobody's term."""
    check_quorum: bool = True
    """Step down without a quorum, and ignore campaigns while a leader is heard."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [
            f"{name} is {getattr(self, name)}, must be at least 1"
            for name in (
                "heartbeat_ticks",
                "inflight_count_max",
                "append_bytes_max",
                "uncommitted_bytes_max",
            )
            if getattr(self, name) < 1
        ]
        if not self.replica_id:
            faults.append("replica_id is empty")
        # Two heartbeats must fit, or one lost message would cost the leader its office.
        if self.election_ticks <= 2 * self.heartbeat_ticks:
            faults.append(
                f"election_ticks is {self.election_ticks}, must exceed twice heartbeat_ticks "
                f"({self.heartbeat_ticks})"
            )
        if self.promote_lag_entries_max < 0:
            faults.append(f"promote_lag_entries_max is {self.promote_lag_entries_max}, below 0")
        if faults:
            raise ValueError("; ".join(faults))
