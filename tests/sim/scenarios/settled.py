"""What a fleet that is well looks like, and what is missing if it is not."""

from director.core.state import Group, State
from director.routing.table import RegionId
from tests.sim.cluster import Cluster

# With a write at least every 120 ms and a slow disk now and then.
_LAST_WRITE_MS_MAX = 1_000
# Whether it stays settled is watched for a second. A lease that ends within it was last renewed
# before the faults ended, and what they led to - an office that is handed over - is still coming.
_LEASE_LEFT_MS_MIN = 1_100


def missing(cluster: Cluster) -> str:
    """Say what keeps the fleet from being settled; "" when nothing does."""
    return _missing_in_log(cluster) or _missing_in_control(cluster) or _missing_in_data(cluster)


def _missing_in_log(cluster: Cluster) -> str:
    replicas = list(cluster.replicas.values())
    if not all(each.process.is_up and not each.process.is_paused for each in replicas):
        return "a director is down"
    if sum(each.leads for each in replicas) != 1:
        return "there is not exactly one leader"
    if not all(each.is_done for each in cluster.rejoins):
        return "a director that lost its data has no vote again"
    states = [each.director.state for each in replicas]
    indexes = [state.applied_index for state in states]
    if len(set(indexes)) != 1:
        return f"the replicas are at {indexes}"
    return ""


def _missing_in_control(cluster: Cluster) -> str:
    state = cluster.newest().director.state
    run = next((each for each in state.runs if each.is_active), None)
    if run is not None:
        return f"{run.run_id} from {run.source} to {run.target} is {run.stage}"
    groups = state.groups
    unowned = [each.group_id for each in groups if each.home is None]
    if unowned or not groups:
        return f"nobody owns {', '.join(unowned) or 'the service'}"
    return ""


def _missing_in_data(cluster: Cluster) -> str:
    state = cluster.newest().director.state
    lacking = (_missing_in(cluster, state, group) for group in state.groups)
    return next((each for each in lacking if each), "")


def _missing_in(cluster: Cluster, state: State, group: Group) -> str:
    service_id = group.service_id
    if group.serving != group.home:
        return f"{group.home} owns {service_id}, but {group.serving} serves"
    routes = cluster.world.watch.routes
    owners = {each: routes.owner(each, service_id) for each in sorted(cluster.replicas)}
    if set(owners.values()) != {group.home}:
        return f"routes of {service_id} point at {owners}, the owner is {group.home}"
    open_at = [name for name in cluster.regions if _is_open(cluster, name, group)]
    if open_at != [group.home]:
        return f"gates of {service_id} are open at {open_at}, the owner is {group.home}"
    assert group.home is not None, "its gate is open"
    left_ms = _lease_left_ms(cluster, group.home, group)
    if left_ms < _LEASE_LEFT_MS_MIN:
        return f"the lease of {group.home} on {service_id} ends in {left_ms} ms"
    token, last_ms = cluster.world.watch.writes.last_of(service_id)
    if token != (state.generation, group.epoch):
        return f"the last write to {service_id} was under {token}, the epoch is {group.epoch}"
    age_ms = cluster.world.now_ms - last_ms
    return "" if age_ms <= _LAST_WRITE_MS_MAX else f"the last write is {age_ms} ms old"


def _is_open(cluster: Cluster, name: str, group: Group) -> bool:
    region = cluster.regions[RegionId(name)]
    answer = region.gates.check(group.service_id) if region.process.is_up else None
    return answer is not None and answer.may_write


def _lease_left_ms(cluster: Cluster, name: str, group: Group) -> int:
    """How long the owner's gate stays open if nobody renews its lease any more."""
    region = cluster.regions[RegionId(name)]
    told = region.gates._set[group.service_id]
    return 0 if told is None else told.deadline_at_ms - region.process.clock.now_ms()
