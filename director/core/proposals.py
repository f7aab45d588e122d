"""What this leader has proposed and not yet seen in the log."""

from dataclasses import dataclass

from director.core.commands import Command
from director.core.effects import Propose


@dataclass(frozen=True, slots=True)
class _Proposed:
    key: str
    command: Command


class Proposals:
    """Keeps the leader from proposing the same thing twice. Mutable, but pure."""

    def __init__(self) -> None:
        self._under_way: dict[int, _Proposed] = {}
        self._count = 0

    @property
    def busy(self) -> frozenset[str]:
        """Keys of what is under way."""
        return frozenset(each.key for each in self._under_way.values())

    def begin(self, key: str, command: Command, term: int) -> Propose:
        """Return the effect that proposes ``command``, which is about ``key``."""
        self._count += 1
        self._under_way[self._count] = _Proposed(key, command)
        return Propose(self._count, term, command)

    def settle(self, command: Command) -> None:
        """``command`` committed, so what it is about may be proposed again.

        Compared by value: the log hands back what was written, not who wrote it.
        """
        for proposal_id, proposed in list(self._under_way.items()):
            if proposed.command == command:
                del self._under_way[proposal_id]

    def fail(self, proposal_id: int) -> str:
        """A proposal came to nothing, or nobody knows; returns its request id or ""."""
        proposed = self._under_way.pop(proposal_id, None)
        return "" if proposed is None else proposed.command.stamp.request_id

    def forget(self) -> list[str]:
        """Drop everything with the office; returns the request ids of those who still wait."""
        waiting = [each.command.stamp.request_id for each in self._under_way.values()]
        self._under_way = {}
        return [each for each in waiting if each]
