"""What documents may not do to services that serve, whoever applies them (R1, R2, C7).

Documents say what is wanted, and a slip of the editor wants things by accident: a service deleted
with its file, the owner's region left out, a mode changed. Each of these would stop a service in
one entry of the log. So each is refused when it is applied, with the way to do it on purpose.
"""

from director.core.capacity import manifest_capacity_refusal
from director.core.commands import ApplyManifest
from director.core.reasons import Reason
from director.core.safety import Refusal, Rule, is_healthy, is_serving, removal_refusal
from director.core.state import State
from director.core.topology import ServiceSpec
from director.routing.table import ServiceMode


def manifest_safety_refusal(state: State, after: State, command: ApplyManifest) -> Refusal | None:
    """Say why the documents may not be applied now, or None if they may.

    Args:
        state: What is in force.
        after: The same with the documents in force, and what is known of sites that stay.
        command: The documents, with what the operator allows and the loads.
    """
    for service in state.topology.services:
        refusal = _stays_refusal(state, after, service, command)
        if refusal is not None:
            return refusal
    return (
        _shape_refusal(after)
        or removal_refusal(state, after)
        or _in_service_refusal(state, after)
        or manifest_capacity_refusal(state, after, command.loads)
    )


def _stays_refusal(
    state: State, after: State, service: ServiceSpec, command: ApplyManifest
) -> Refusal | None:
    """Say that a service that serves would go, or be owned in another way."""
    service_id = service.service_id
    wanted = after.topology.service(service_id)
    if wanted is not None and wanted.mode is service.mode:
        return _served_site_refusal(state, service, wanted)
    if service_id in command.allow_removed or not _serves(state, service):
        return None
    if wanted is None:
        return Refusal(
            Reason.SAFETY_RULE,
            f"the documents drop {service_id}, which serves; if that is meant, say so with "
            f"`director apply --remove-service {service_id}`",
            (("rule", Rule.SERVICE_STAYS), ("serviceId", service_id)),
        )
    return Refusal(
        Reason.SAFETY_RULE,
        f"the documents change {service_id} from {service.mode} to {wanted.mode} while it serves: "
        "its ownership would end in between; apply it under another name, or say that it may stop "
        f"for a moment with `director apply --remove-service {service_id}`",
        (
            ("rule", Rule.MODE_STAYS),
            ("serviceId", service_id),
            ("mode", service.mode),
            ("wantedMode", wanted.mode),
        ),
    )


def _serves(state: State, service: ServiceSpec) -> bool:
    if service.mode is ServiceMode.ACTIVE_PASSIVE:
        groups = [state.group(group_id) for group_id in service.group_ids]
        return any(group is not None and group.home is not None for group in groups)
    return any(is_healthy(state, service, site.region_id) for site in service.sites)


def _served_site_refusal(state: State, service: ServiceSpec, wanted: ServiceSpec) -> Refusal | None:
    """Say that the region which routes point at would have no site.

    During a run that is not always the owner: routes follow only when the run publishes.
    """
    for group_id in service.group_ids:
        group = state.group(group_id)
        at = None if group is None else group.serving
        if at is not None and service.site(at) is not None and wanted.site(at) is None:
            return Refusal(
                Reason.SAFETY_RULE,
                f"{at} serves {service.service_id} and has no site in the documents; switch it "
                "over first",
                (
                    ("rule", Rule.OWNER_STAYS),
                    ("serviceId", service.service_id),
                    ("regionId", at),
                ),
            )
    return None


def _in_service_refusal(state: State, after: State) -> Refusal | None:
    """Say that a service would lose the regions that a rule keeps in service although DOWN.

    They are not healthy, so the count of healthy ones passes them over; but with the others forced
    down they are all that clients have (R1).
    """
    for service in after.topology.services:
        before = state.topology.service(service.service_id)
        if before is None or before.mode is not service.mode:
            continue
        was = [each for each in before.sites if is_serving(state, before, each.region_id)]
        left = [each for each in service.sites if is_serving(after, service, each.region_id)]
        if was and not left:
            names = ", ".join(each.region_id for each in was)
            return Refusal(
                Reason.SAFETY_RULE,
                f"the documents take away {names}, the last in service for {service.service_id}; "
                "clear the overrides of its other regions first",
                (("rule", Rule.NEVER_LAST), ("serviceId", service.service_id)),
            )
    return None


def _shape_refusal(after: State) -> Refusal | None:
    """Say that a site could answer nobody: routing would pass it over, the rules would count it.

    The documents were validated before; this holds for whatever else writes entries.
    """
    regions = {region.region_id for region in after.topology.regions}
    for service in after.topology.services:
        for site in service.sites:
            if site.endpoints and site.region_id in regions:
                continue
            what = "has no endpoints" if site.region_id in regions else "is no declared region"
            return Refusal(
                Reason.INVALID_DOCUMENT,
                f"{site.region_id}, a site of {service.service_id}, {what}",
                (("serviceId", service.service_id), ("regionId", site.region_id)),
            )
    return None
