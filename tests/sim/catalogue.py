"""The faults that the simulator plays, by their number in the catalogue of invariants.md.

``Coverage`` counts what really happened in a world, so that a run can say what it never saw.
"""

from collections import Counter

FAULTS = {
    1: "a process is killed at any instruction",
    2: "all directors are killed at once",
    3: "a process is stopped, for a short time or beyond the lease",
    4: "a machine is suspended and its boot-time clock jumps",
    5: "symmetric partition",
    6: "one-way link",
    7: "partial partition: two cannot hear each other, a third hears both",
    8: "the leader reaches exactly one follower",
    9: "a minority is isolated together with the active region",
    10: "a link flaps",
    11: "loss, delay, jitter, reordering and duplication",
    13: "an old message is delivered two epochs later",
    14: "the wall clock jumps",
    15: "a clock runs fast or slow",
    16: "the disk is full",
    17: "fsync fails",
    18: "fsync is slow or hangs",
    19: "a write is torn",
    20: "a bit flips on the disk",
    21: "writes and names that were not synced are lost",
    23: "a crash while a snapshot is installed",
    24: "a follower is far behind a compacted log",
    25: "a data directory is wiped",
    26: "a director is restored from an old copy",
    27: "gray failure: the agent is well, the service fails",
    28: "gray failure: a part of the requests is slow",
    29: "a slow observer",
    30: "all agents of a region end, the service does not",
    31: "a whole region is lost",
    32: "all regions are unhealthy at once",
    33: "the quorum of directors is lost for long",
    34: "the target is over its RPO",
    35: "a second failure during a failover",
    36: "failover, drain and configuration at once",
    37: "an operator's command arrives twice, or at two directors",
    42: "an agent replays old reports or speaks for another region",
    43: "a poisoned configuration",
}


class Coverage:
    """What happened, per fault and detail (the role it hit, the stage it hit it in)."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, str]] = Counter()

    def hit(self, number: int, detail: str = "") -> None:
        """Note that fault ``number`` of the catalogue really happened."""
        assert number in FAULTS, f"the simulator does not know fault {number}"
        self.counts[number, detail] += 1

    def of_fault(self, number: int) -> int:
        """How often the fault happened, whatever the detail."""
        return sum(count for (fault, _), count in self.counts.items() if fault == number)
