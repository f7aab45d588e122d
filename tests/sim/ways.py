"""What ways between simulated machines are: whom they join, for what, and how they behave."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Pair = tuple[str, str]
"""From and to: names of machines."""


class Plane(StrEnum):
    """What a message belongs to; cuts may hit one and spare another."""

    RAFT = "raft"
    RELAY = "relay"
    AGENTS = "agents"
    SERVICE = "service"


ALL_PLANES = tuple(Plane)


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the network behaves.

    Attributes:
        delay_ms: One way, per (from, to) pair of hosts; pairs not named stand side by side.
        loss: Share of packets that have to be sent again.
        keepalive_ms: How long a client's connection may be cut before it gives it up.
        duplicated: Share of Raft messages that arrive twice, some of them long after.
        reordered: Share of Raft messages that are overtaken by those sent after them.
        jitter_share: A packet may take this share of the delay longer, if that is more than the
            jitter; 1.0 is up to twice the delay.
    """

    delay_ms: dict[Pair, int]
    jitter_ms: int
    loss: float
    keepalive_ms: int
    duplicated: float = 0.0
    reordered: float = 0.0
    jitter_share: float = 0.0


class Late(NamedTuple):
    """What a call's handler returns if the answer is to leave only ``after_ms`` later."""

    value: object
    after_ms: int


class Way:
    """One direction between two machines, for one plane, as it is now.

    Attributes:
        base_ms: The shortest delay.
        spread: One more than the longest jitter; 0 for none.
        loss: Share of packets that have to be sent again.
        last_due_ms: When the last message in order arrives.
    """

    __slots__ = (
        "base_ms",
        "is_cut",
        "is_local",
        "last_due_ms",
        "loss",
        "plane",
        "recipient",
        "sender",
        "spread",
    )

    def __init__(self, sender: str, recipient: str, plane: Plane) -> None:
        self.sender = sender
        self.recipient = recipient
        self.plane = plane
        self.is_local = sender == recipient
        self.is_cut = False
        self.base_ms = 0
        self.spread = 0
        self.loss = 0.0
        self.last_due_ms = 0
