"""Calls that wait for the log: proposals by the index they got, reads by the round they are in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from director.consensus.port import (
    ConsensusError,
    Entry,
    MembershipRefusedError,
    NotLeaderError,
    OutcomeUnknownError,
    OverloadedError,
)
from director.raft.errors import ProposalRefusedError, Refusal
from director.raft.messages import Entry as RaftEntry
from director.raft.node import Node, ReadState

Answer: TypeAlias = Callable[[Any], None]
"""Called once, with the result or with the error to raise."""


def refused(error: ProposalRefusedError) -> ConsensusError:
    """Say in the port's words why nothing was appended."""
    match error.reason:
        case Refusal.NOT_LEADER | Refusal.TRANSFERRING | Refusal.NO_LEADER:
            return NotLeaderError(str(error), reason=error.reason)
        case Refusal.TOO_MANY_UNCOMMITTED:
            return OverloadedError(str(error), reason=error.reason)
        case _:
            return MembershipRefusedError(str(error), reason=error.reason)


class Proposals:
    """Entries appended here and not yet committed.

    They are answered when the entry at their index is applied, or at once when this replica does
    not lead any more: it cannot know then, and whoever asked must not wait for ever.
    """

    def __init__(self, node: Node) -> None:
        """Wait for nothing."""
        self._node = node
        self._answer_by_index: dict[int, Answer] = {}
        self._term = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._answer_by_index)

    def propose(self, framed: bytes, answer: Answer) -> None:
        """Append an entry in the term this replica leads, and remember whom to answer."""
        try:
            index, term = self._node.propose(framed)
        except ProposalRefusedError as error:
            answer(refused(error))
            return
        self.wait_for(index, term, answer)

    def wait_for(self, index: int, term: int, answer: Answer) -> None:
        """Answer once the entry at ``index`` is known to be committed or lost."""
        if term != self._term:
            self.leave_office()
            self._term = term
        self._answer_by_index[index] = answer

    def committed(self, entries: tuple[RaftEntry, ...]) -> None:
        """Answer for what was committed."""
        if not self._answer_by_index:
            return
        for entry in entries:
            answer = self._answer_by_index.pop(entry.index, None)
            if answer is None:
                continue
            if entry.term == self._term:
                answer(Entry(entry.index, entry.term))
            else:
                answer(self._unknown(entry.index))

    def check_office(self) -> None:
        """Give up everything if this replica does not lead the term any more."""
        if self._answer_by_index and not (
            self._node.leader_id == self._node.replica_id and self._node.term == self._term
        ):
            self.leave_office()

    def leave_office(self) -> None:
        """Answer everyone that nobody here can know."""
        waiting, self._answer_by_index = self._answer_by_index, {}
        for index, answer in waiting.items():
            answer(self._unknown(index))

    def _unknown(self, index: int) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"{self._node.replica_id} lost term {self._term} before entry {index} was known to be "
            f"committed; look before trying again",
            term=self._term,
            index=index,
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    term: int | None
    answer: Answer


class Barriers:
    """Reads that wait for the leader to be confirmed.

    All that were asked for before a round begins share it; none joins a round under way, because
    a round proves nothing about what finished after it began.
    """

    def __init__(self, node: Node) -> None:
        """Wait for nothing."""
        self._node = node
        self._readers_by_context: dict[int, list[_Reader]] = {}
        self._next_context = 1

    def ask(self, asked: list[tuple[int | None, Answer]]) -> None:
        """Begin a round for calls given as (the term that must be led, whom to answer)."""
        readers = []
        for term, answer in asked:
            if term is not None and self._node.leads_term() != term:
                answer(self._not_leading(term))
            else:
                readers.append(_Reader(term, answer))
        if not readers:
            return
        context = self._next_context
        self._next_context += 1
        try:
            self._node.forward_read(context)
        except ProposalRefusedError as error:
            for reader in readers:
                reader.answer(refused(error))
            return
        self._readers_by_context[context] = readers

    def answered(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        """Answer for rounds that were confirmed or lost."""
        for state in confirmed:
            for reader in self._readers_by_context.pop(state.context, ()):
                if reader.term is not None and (
                    state.term != reader.term or self._node.leads_term() != reader.term
                ):
                    reader.answer(self._not_leading(reader.term))
                else:
                    reader.answer(state.index)
        for context in lost:
            for reader in self._readers_by_context.pop(context, ()):
                reader.answer(NotLeaderError(f"no leader answered {self._node.replica_id}"))

    def give_up(self, error: ConsensusError) -> None:
        """Answer everyone with ``error``."""
        rounds, self._readers_by_context = self._readers_by_context, {}
        for readers in rounds.values():
            for reader in readers:
                reader.answer(error)

    def _not_leading(self, term: int) -> NotLeaderError:
        leader_id = self._node.leader_id
        return NotLeaderError(
            f"{self._node.replica_id} does not lead term {term}; "
            f"{leader_id or 'nobody known'} leads term {self._node.term}",
            term=self._node.term,
            leaderId=leader_id or "",
        )
