"""Identifiers and the fencing token."""

from dataclasses import dataclass
from typing import NewType

GroupId = NewType("GroupId", str)
RunId = NewType("RunId", str)
AgentId = NewType("AgentId", str)
ReplicaId = NewType("ReplicaId", str)
PolicyId = NewType("PolicyId", str)
DrillId = NewType("DrillId", str)

NO_DRILL = DrillId("")
NO_GROUP = GroupId("")


@dataclass(frozen=True, slots=True, order=True)
class FencingToken:
    """The right number of one ownership of a session group, compared lexicographically.

    Attributes:
        generation: Rises by one when the director is restored from a backup (A2).
        epoch: Rises by one with each grant; 0 means that nobody has owned the group yet.
    """

    generation: int
    epoch: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.epoch}"
