"""The loads that a decision rests on, as the leader has observed them, to go with the command."""

from collections.abc import Iterable

from director.core.loads import RegionLoad
from director.core.observation_log import ObservationLog
from director.core.state import Group
from director.core.topology import ServiceSpec


def loads_of(
    log: ObservationLog, services: Iterable[ServiceSpec], *, now_ms: int
) -> tuple[RegionLoad, ...]:
    """Return what is known of the regions of ``services``, in their order."""
    return tuple(
        RegionLoad(service.service_id, site.region_id, rps)
        for service in services
        for site in service.sites
        if (rps := log.load_rps((service.service_id, site.region_id), now_ms=now_ms)) is not None
    )


def owner_load_rps(log: ObservationLog, group: Group, *, now_ms: int) -> int | None:
    """Return what the owner of a group takes; None is unknown, or there is no owner."""
    if group.home is None:
        return None
    return log.load_rps((group.service_id, group.home), now_ms=now_ms)
