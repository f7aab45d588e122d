"""What a leader knows of one replica's log, and how fast it may send to it.

PROBE sends one message at a time until it learns where the logs meet. REPLICATE streams ahead of
the answers, bounded by a number of messages. SNAPSHOT waits for a snapshot to be installed.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from director.raft.messages import ReplicaId


class ProgressState(StrEnum):
    """How a leader sends to one replica."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class ProgressView:
    """One replica as its leader sees it, for people who ask."""

    replica_id: ReplicaId
    state: ProgressState
    match_index: int
    next_index: int
    inflight_count: int
    is_learner: bool
    is_active: bool
    """Whether it was heard from within one election timeout."""


class Progress:
    """What the leader knows of one replica.

    Invariant: ``match_index < next_index``.
    """

    __slots__ = (
        "acked_round",
        "check_due",
        "heard_at_tick",
        "inflight",
        "inflight_count_max",
        "is_learner",
        "match_index",
        "next_index",
        "pending_snapshot_index",
        "probe_paused",
        "sent_commit",
        "stamp",
        "state",
    )

    def __init__(self, *, next_index: int, inflight_count_max: int, is_learner: bool) -> None:
        """Start probing at ``next_index``, with nothing known to match."""
        self.match_index = 0
        self.next_index = next_index
        self.state = ProgressState.PROBE
        self.is_learner = is_learner
        self.probe_paused = False
        self.inflight: deque[int] = deque()
        """The last index of each APPEND sent and not answered, oldest first."""
        self.inflight_count_max = inflight_count_max
        self.pending_snapshot_index = 0
        self.sent_commit = 0
        """The highest commit index sent, so that news of it is sent once."""
        self.check_due = False
        """Whether an empty APPEND must ask if what was sent arrived."""
        self.heard_at_tick: int | None = None
        """None until the replica answers in this term."""
        self.acked_round = 0
        self.stamp = 0
        """What the replica's last answer was stamped with, to be sent back to it."""

    @property
    def is_paused(self) -> bool:
        """Whether sending must wait for an answer."""
        match self.state:
            case ProgressState.PROBE:
                return self.probe_paused
            case ProgressState.REPLICATE:
                return len(self.inflight) >= self.inflight_count_max
            case ProgressState.SNAPSHOT:
                return True

    def become_probe(self) -> None:
        """Find out again where the logs meet."""
        if self.state is ProgressState.SNAPSHOT:
            self.next_index = max(self.match_index, self.pending_snapshot_index) + 1
        else:
            self.next_index = self.match_index + 1
        self._become(ProgressState.PROBE)

    def become_replicate(self) -> None:
        """Stream from the first entry not known to match."""
        self._become(ProgressState.REPLICATE)
        self.next_index = self.match_index + 1

    def become_snapshot(self, index: int) -> None:
        """Wait until the snapshot up to ``index`` is installed."""
        self._become(ProgressState.SNAPSHOT)
        self.pending_snapshot_index = index

    def _become(self, state: ProgressState) -> None:
        self.state = state
        self.probe_paused = False
        self.pending_snapshot_index = 0
        self.check_due = False
        self.inflight.clear()

    def note_sent(self, last_index: int, entry_count: int) -> None:
        """Account for an APPEND that ends at ``last_index``."""
        self.check_due = False
        if self.state is ProgressState.PROBE:
            self.probe_paused = True
        elif entry_count:
            self.next_index = last_index + 1
            self.inflight.append(last_index)

    def note_match(self, index: int) -> bool:
        """Learn that the replica holds everything up to ``index``. Whether that was news."""
        is_news = index > self.match_index
        if is_news:
            self.match_index = index
            self.probe_paused = False
        self.next_index = max(self.next_index, index + 1)
        return is_news

    def free_inflight_to(self, index: int) -> None:
        """Forget the messages answered by an answer for ``index``."""
        inflight = self.inflight
        while inflight and inflight[0] <= index:
            inflight.popleft()

    def note_refused(self, refused_index: int, meet_index: int) -> bool:
        """Step back after the replica refused what follows ``refused_index``.

        Args:
            refused_index: The entry before those refused.
            meet_index: The highest index at which the logs may meet.

        Returns:
            Whether the refusal was about something still current. A late one changes nothing.
        """
        if self.state is ProgressState.REPLICATE:
            if refused_index <= self.match_index:
                return False
            self.become_probe()
            return True
        if self.next_index - 1 != refused_index:
            return False
        self.next_index = max(min(refused_index, meet_index + 1), self.match_index + 1)
        self.probe_paused = False
        return True
