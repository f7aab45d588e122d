"""The settings of one embedded replica, with their units and the relations between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from director.runtime.tls import TlsFiles

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EmbeddedConfig:
    """How one replica takes part.

    Raises:
        ValueError: A value is out of range, or two contradict each other. It lists every fault.
    """

    replica_id: str
    fleet_id: str
    data_dir: Path
    listen: str
    """``127.0.0.1:port`` of the peer port. Loopback only, unless ``allow_insecure``."""
    peers: Mapping[str, str]
    """Peer address by id, this replica included. On a first start these are the voters, and every
    founding replica must be given the same. With ``join`` they are only where the fleet may be
    found. Members added later need not be listed: their addresses are replicated."""
    join: bool = False
    """A first start founds nothing; the replica waits until it is added as a learner."""
    tick_ms: int = 50
    """Stretched while a round trip to a peer is so long that ``election_ms`` would not hold ten."""
    heartbeat_ms: int = 100
    election_ms: int = 1_000
    """A follower campaigns after a random silence in [this, twice this)."""
    snapshot_margin_count: int = 10_000
    """Entries kept below a snapshot: a replica a few seconds behind at full rate needs none."""
    segment_bytes: int = 16 * MIB
    proposals_max: int = 4_096
    """Proposals that may wait to be committed before one is refused as too many."""
    delivery_bytes_max: int = 8 * MIB
    """Delivered and not yet taken by the application; beyond it, delivery waits in the log."""
    snapshot_bytes_per_s: int = 64 * MIB
    """At most, to one peer: entries of the others must not wait behind a snapshot."""
    allow_insecure: bool = False
    """Listen where other machines can connect, though nothing is encrypted or authenticated."""
    tls: TlsFiles | None = None
    """What to show to the other replicas, and whom to trust; None talks to them without TLS."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [
            f"{name} is {getattr(self, name)}, must be at least 1"
            for name in (
                "tick_ms",
                "heartbeat_ms",
                "election_ms",
                "segment_bytes",
                "proposals_max",
                "delivery_bytes_max",
                "snapshot_bytes_per_s",
            )
            if getattr(self, name) < 1
        ]
        if self.snapshot_margin_count < 0:
            faults.append(f"snapshot_margin_count is {self.snapshot_margin_count}, below 0")
        if not self.replica_id or not self.fleet_id:
            faults.append("replica_id and fleet_id must not be empty")
        if self.heartbeat_ms < self.tick_ms:
            faults.append(f"heartbeat_ms ({self.heartbeat_ms}) is below tick_ms ({self.tick_ms})")
        # Two heartbeats must fit, or one lost message would cost the leader its office.
        if self.election_ms < 3 * self.heartbeat_ms:
            faults.append(
                f"election_ms ({self.election_ms}) must be at least three times heartbeat_ms "
                f"({self.heartbeat_ms})"
            )
        if not self.join and self.replica_id not in self.peers:
            faults.append(
                f"peers ({', '.join(sorted(self.peers)) or 'none'}) must include "
                f"{self.replica_id}, or it must join"
            )
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def heartbeat_ticks(self) -> int:
        """Ticks between heartbeats."""
        return max(1, self.heartbeat_ms // self.tick_ms)

    @property
    def election_ticks(self) -> int:
        """Ticks of silence before a campaign, at least."""
        return -(-self.election_ms // self.tick_ms)

    @property
    def advertised(self) -> str:
        """Where the others reach this replica."""
        return self.peers.get(self.replica_id, self.listen)
