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
        tcp_timers: Lost packets are sent again when Linux does it: the first of a connection after
            a second; others after 200 ms and a round trip, or as soon as the answer to what follows
            them shows that they are missing. Otherwise all after 200 ms, and probes need no
            connection.
    """

    delay_ms: dict[Pair, int]
    jitter_ms: int
    loss: float
    keepalive_ms: int
    duplicated: float = 0.0
    reordered: float = 0.0
    jitter_share: float = 0.0
    tcp_timers: bool = False


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
        again_ms: After how long the first time; twice as long each time after, up to
            ``again_ms_max``.
        last_due_ms: When the last message in order arrives.
        turned_at_ms: When it was last cut or mended, slowed down or sped up.
    """

    __slots__ = (
        "again_ms",
        "again_ms_max",
        "base_ms",
        "is_cut",
        "is_local",
        "last_due_ms",
        "loss",
        "plane",
        "recipient",
        "sender",
        "spread",
        "turned_at_ms",
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
        self.again_ms = self.again_ms_max = 0
        self.last_due_ms = 0
        self.turned_at_ms = 0
