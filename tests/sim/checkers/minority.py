"""A8: a director that a majority does not answer grants no lease, and soon does not lead."""

from collections import defaultdict, deque

from director.raft.messages import Message, MessageKind

# Two election intervals of 1 s each, one tick, and what a clock may be slow by.
_LEADS_ALONE_MS_MAX = 2_200
# A replica is looked at with every tick (50 ms): after a longer pause it stood still.
_STOOD_STILL_MS = 250
_ANSWERS = (MessageKind.APPEND_REPLY, MessageKind.HEARTBEAT_REPLY)

_Ask = tuple[str, str, str, int]


class Minority:
    """Knows when the answers that each leader got were sent and when they came, in true time."""

    def __init__(self) -> None:
        self.voter_count = 0
        self._term: dict[str, int] = {}
        self._began_ms: dict[str, int] = {}
        self._seen_ms: dict[str, int] = {}
        self._sent_ms: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._came_ms: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._asked_ms: defaultdict[_Ask, deque[int]] = defaultdict(deque)
        self.count = 0

    def replica_started(self, replica_id: str) -> None:
        """It remembers nobody who asked."""
        for key in [each for each in self._asked_ms if each[0] == replica_id]:
            del self._asked_ms[key]
        self._term.pop(replica_id, None)

    def heard(self, replica_id: str, message: Message, *, sent_ms: int, now_ms: int) -> None:
        """A message sent at ``sent_ms`` came to a replica."""
        if message.kind in _ANSWERS and message.term == self._term.get(replica_id):
            sent, came = self._sent_ms[replica_id], self._came_ms[replica_id]
            sent[message.sender] = max(sent_ms, sent.get(message.sender, 0))
            came[message.sender] = now_ms

    def led(self, replica_id: str, term: int, *, now_ms: int) -> None:
        """A replica leads at this moment."""
        if self._term.get(replica_id) != term:
            self._term[replica_id] = term
            self._sent_ms[replica_id].clear()
            self._came_ms[replica_id].clear()
            self._began_ms[replica_id] = self._seen_ms[replica_id] = now_ms
            return
        if now_ms - self._seen_ms[replica_id] > _STOOD_STILL_MS:
            self._began_ms[replica_id] = now_ms
        self._seen_ms[replica_id] = now_ms
        if now_ms - self._began_ms[replica_id] <= _LEADS_ALONE_MS_MAX:
            return
        contact_ms = self._majority_ms(self._came_ms[replica_id])
        assert now_ms - contact_ms <= _LEADS_ALONE_MS_MAX, (
            f"{replica_id} leads term {term} at {now_ms} ms; a majority last answered at "
            f"{contact_ms} ms"
        )

    def asked(
        self,
        replica_id: str,
        region_id: str,
        agent_id: str,
        group_id: str,
        number: int,
        now_ms: int,
    ) -> None:
        """A request for a lease came to a replica."""
        self._asked_ms[replica_id, f"{region_id} {agent_id}", group_id, number].append(now_ms)

    def answered(
        self,
        replica_id: str,
        region_id: str,
        agent_id: str,
        group_id: str,
        number: int,
        *,
        is_granted: bool,
    ) -> None:
        """A replica answers a request for a lease."""
        asked_ms = self._asked_ms[replica_id, f"{region_id} {agent_id}", group_id, number]
        at_ms = asked_ms.popleft() if asked_ms else None
        if not asked_ms:
            del self._asked_ms[replica_id, f"{region_id} {agent_id}", group_id, number]
        if not is_granted:
            return
        self.count += 1
        assert at_ms is not None, f"{replica_id} grants {region_id} a lease it never asked for"
        contact_ms = self._majority_ms(self._sent_ms[replica_id])
        assert contact_ms >= at_ms, (
            f"{replica_id} grants {region_id} a lease asked for at {at_ms} ms; the last word it "
            f"has of a majority was sent at {contact_ms} ms"
        )

    def _majority_ms(self, by_peer_ms: dict[str, int]) -> int:
        """The instant since which the replica has word of a majority, itself included."""
        needed = self.voter_count // 2
        if needed == 0:
            return 1 << 62
        newest_first = sorted(by_peer_ms.values(), reverse=True)
        return newest_first[needed - 1] if len(newest_first) >= needed else 0
