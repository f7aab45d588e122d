"""Is a service active in a region, by the committed state? What load balancers are told."""

from dataclasses import dataclass

from director.core.safety import is_serving
from director.core.state import State
from director.core.topology import ServiceSpec
from director.routing.table import RegionId, ServiceId, ServiceMode


@dataclass(frozen=True, slots=True)
class Activity:
    """The answer and why.

    Attributes:
        reason: Why it is not active, for programs; "" when it is.
        message: The same for people.
        is_known: The fleet has the service and the region.
    """

    is_active: bool
    reason: str = ""
    message: str = ""
    is_known: bool = True


def activity(state: State, service_id: str, region_id: str) -> Activity:
    """Say whether ``service_id`` is active in ``region_id``.

    Of an active-passive service one region is active at most, and none between the grant to a new
    home and the moment when routes point at it: the old home can write no more.
    """
    service = state.topology.service(ServiceId(service_id))
    if service is None:
        return Activity(
            is_active=False,
            reason="SERVICE_NOT_FOUND",
            message="no such service is declared",
            is_known=False,
        )
    if service.site(RegionId(region_id)) is None:
        return Activity(
            is_active=False,
            reason="REGION_NOT_FOUND",
            message=f"{service.service_id} has no site in a region of that name",
            is_known=False,
        )
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        return _as_home(state, service, RegionId(region_id))
    if is_serving(state, service, RegionId(region_id)):
        return Activity(is_active=True)
    message = f"{region_id} takes no clients of {service_id}: it is down, forced down or drained"
    return Activity(is_active=False, reason="OUT_OF_SERVICE", message=message)


def _as_home(state: State, service: ServiceSpec, region_id: RegionId) -> Activity:
    groups = [state.group(each) for each in service.group_ids]
    homes = {None if group is None else group.home for group in groups}
    serving = {None if group is None else group.serving for group in groups}
    if homes == serving == {region_id}:
        return Activity(is_active=True)
    if None in homes:
        message = f"{service.service_id} has no owner yet"
        return Activity(is_active=False, reason="NO_OWNER", message=message)
    named = ", ".join(sorted(str(each) for each in homes))
    if homes != serving:
        message = f"{service.service_id} is on its way to {named}"
        return Activity(is_active=False, reason="MOVING", message=message)
    message = f"{service.service_id} is active in {named}"
    return Activity(is_active=False, reason="OTHER_REGION", message=message)
