"""Loads of regions as commands carry them, and how much of its traffic a full region sends on.

Loads are soft observations of the leader. A command that rests on them carries them, so that every
replica comes to the same answer when it is applied (R2, C6).
"""

from dataclasses import dataclass

from director.routing.table import RegionId, ServiceId


@dataclass(frozen=True, slots=True)
class RegionLoad:
    """What one region of one service was seen to take, in requests per second."""

    service_id: ServiceId
    region_id: RegionId
    rps: int


@dataclass(frozen=True, slots=True)
class SpillSite:
    """What is decided for one region of a service of which some region is over ``spillAt``.

    Attributes:
        per_mille: Share of its clients that it sends on; 0 sends none.
        load_per_mille: Load against capacity when it was decided; 0 when not known.
        is_full: It takes none of the others' clients.
    """

    region_id: RegionId
    per_mille: int
    load_per_mille: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class SpillRecord:
    """The same, as committed. Kept only while some region of the service sends clients on.

    Attributes:
        since_ms: Director time of the entry.
        index: Log index of the entry.
    """

    per_mille: int
    load_per_mille: int
    is_full: bool
    since_ms: int
    index: int
