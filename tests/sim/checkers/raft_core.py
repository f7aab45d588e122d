"""A7: what Raft promises, seen from outside: from messages, disks and what is handed out."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from director.raft.messages import Entry, Message, MessageKind
from director.raft.storage import RaftLogReader


@dataclass(slots=True)
class _Disk:
    """What is durable at one replica.

    Attributes:
        terms: Term of each entry, by index.
        mark: Up to where a snapshot stands in place of the log.
    """

    term: int = 0
    vote: str | None = None
    last_index: int = 0
    mark: int = 0
    terms: dict[int, int] = field(default_factory=dict)

    def holds(self, entry: Entry) -> bool:
        return self.mark >= entry.index or self.terms.get(entry.index) == entry.term


class RaftCore:
    """Follows the disks of all replicas, and what each takes as committed.

    Attributes:
        entries: Every entry that anybody took as committed, by index.
        committed_index: The highest of them.
    """

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.committed_index = 0
        self._disks: dict[str, _Disk] = {}
        self._lost: dict[str, _Disk] = {}
        self._taken: dict[str, int] = {}
        self._leader_by_term: dict[int, str] = {}
        self._replaced: set[str] = set()

    # -- disks -------------------------------------------------------------------------------------

    def started(self, replica_id: str, log: RaftLogReader) -> None:
        """A replica starts with what its disk holds."""
        self._taken[replica_id] = log.snapshot_mark().index
        disk = self._disks.setdefault(replica_id, _Disk())
        disk.terms.clear()
        disk.last_index = disk.mark = 0
        self.persisted(replica_id, log)

    def persisted(self, replica_id: str, log: RaftLogReader) -> None:
        """A replica's sync ended, and everything in ``log`` is durable."""
        disk = self._disks.setdefault(replica_id, _Disk())
        hard = log.hard_state()
        assert hard.term >= disk.term, (
            f"the disk of {replica_id} went back from term {disk.term} to {hard.term}"
        )
        assert hard.term > disk.term or disk.vote in (None, hard.vote), (
            f"{replica_id} voted for {disk.vote} and for {hard.vote} in term {hard.term}"
        )
        disk.term, disk.vote = hard.term, hard.vote
        disk.mark = log.snapshot_mark().index
        index, last, first = log.last_index(), disk.last_index, log.first_index()
        for gone in range(index + 1, last + 1):
            disk.terms.pop(gone, None)
        # Logs that agree at an index agree before it.
        while index >= first:
            term = log.term_at(index)
            assert term is not None, "an entry within the log has a term"
            if index <= last and disk.terms.get(index) == term:
                break
            disk.terms[index] = term
            index -= 1
        disk.last_index = log.last_index()
        if replica_id in self._replaced and self._has_all(disk):
            self._replaced.discard(replica_id)

    def _has_all(self, disk: _Disk) -> bool:
        """Whether a disk that was replaced holds again what anybody took as committed."""
        newest = self.entries.get(self.committed_index)
        return newest is not None and disk.holds(newest)

    def disk_replaced(self, replica_id: str) -> None:
        """Somebody wiped a replica's disk, or put an old copy in its place."""
        lost = self._disks.pop(replica_id, None)
        if lost is not None:
            self._lost[replica_id] = lost
        self._replaced.add(replica_id)

    @property
    def replaced_count(self) -> int:
        """How many replicas lost their disk and have not yet learnt everything again."""
        return len(self._replaced)

    def forget_leaders(self) -> None:
        """Terms may come again."""
        self._leader_by_term.clear()

    # -- what is taken as committed ----------------------------------------------------------------

    def rewritten_from(self, entries: Iterable[Entry]) -> int | None:
        """Where ``entries`` begin to differ from what was committed, if that may be; or None.

        It may when so many disks were replaced that nobody is left who would know better.
        """
        if not self._replaced or 2 * len(self._replaced) <= len(self._disks):
            return None
        for entry in entries:
            known = self.entries.get(entry.index)
            if known is not None and known != entry:
                self._replaced.clear()
                return entry.index
        return None

    def restored(self, index: int) -> None:
        """What was committed behind ``index`` is gone."""
        self.entries = {at: entry for at, entry in self.entries.items() if at <= index}
        self.committed_index = min(index, self.committed_index)

    def committed(
        self,
        replica_id: str,
        entries: Iterable[Entry],
        voters: Collection[str],
        newest: Collection[str] = (),
    ) -> None:
        """A replica takes entries as committed.

        Args:
            replica_id: Who.
            entries: What.
            voters: The voters as of the entries.
            newest: Those of the newest membership in its log: in force as soon as it is appended,
                it decides what commits from then on, also of what came before it (C10).
        """
        for entry in entries:
            last = self._taken.get(replica_id, 0)
            if entry.index != last + 1:
                mark = self._disks[replica_id].mark
                assert last < entry.index <= mark + 1, (
                    f"{replica_id} takes entry {entry.index} after {last}"
                )
            self._taken[replica_id] = entry.index
            known = self.entries.get(entry.index)
            if known is None:
                self._look_at_holders(replica_id, entry, (voters, newest or voters))
                self.entries[entry.index] = entry
                self.committed_index = max(self.committed_index, entry.index)
            elif known is not entry:
                assert known == entry, (
                    f"{replica_id} takes entry {entry.index} of term {entry.term} as committed; "
                    f"somebody took another one, of term {known.term}"
                )

    def _look_at_holders(
        self, replica_id: str, entry: Entry, memberships: tuple[Collection[str], ...]
    ) -> None:
        # A disk may be lost between the promise that it holds an entry and the news of the commit.
        disks = (*self._disks.items(), *self._lost.items())
        holders = {each for each, disk in disks if disk.holds(entry)}
        is_held = any(
            2 * sum(each in voters for each in holders) > len(voters) for voters in memberships
        )
        asked, found = ", ".join(sorted(memberships[0])), ", ".join(sorted(holders)) or "nobody"
        assert is_held, (
            f"{replica_id} takes entry {entry.index} of term {entry.term} as committed, which of "
            f"{asked} only {found} has on disk"
        )

    # -- leaders -----------------------------------------------------------------------------------

    def led(self, replica_id: str, term: int) -> None:
        """A replica leads ``term``: everything committed before must be in its log."""
        if self._leader_by_term.get(term) == replica_id:
            return
        self._leader_by_term[term] = replica_id
        disk = self._disks.get(replica_id)
        if disk is None:
            return
        for index in range(disk.mark + 1, self.committed_index + 1):
            known = self.entries.get(index)
            if known is not None and known.term < term:
                assert disk.holds(known), (
                    f"{replica_id} leads term {term} without entry {index} of term {known.term}, "
                    "which was committed"
                )

    # -- what is promised to others ----------------------------------------------------------------

    def sent(self, replica_id: str, message: Message) -> None:
        """A replica sends something: what it promises must be on its disk."""
        disk = self._disks.get(replica_id)
        if disk is None or message.reject:
            return
        if message.kind is MessageKind.VOTE_REPLY:
            # In a later term it may not vote in this one any more, whatever it remembers.
            assert disk.term > message.term or (
                (disk.term, disk.vote) == (message.term, message.recipient)
            ), (
                f"{replica_id} votes for {message.recipient} in term {message.term}; its disk has "
                f"term {disk.term}, vote {disk.vote}"
            )
        elif message.kind is MessageKind.APPEND_REPLY:
            assert message.index <= max(disk.last_index, disk.mark), (
                f"{replica_id} says that it holds entry {message.index}; its disk ends at "
                f"{disk.last_index}"
            )
            assert message.term <= disk.term, (
                f"{replica_id} answers in term {message.term}; its disk has term {disk.term}"
            )
