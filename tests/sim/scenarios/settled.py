"""What a fleet that is well looks like, and what is missing if it is not."""

from tests.sim.cluster import Cluster
from tests.sim.region import SERVICE

# With a write at least every 120 ms and a slow disk now and then.
_LAST_WRITE_MS_MAX = 1_000


def missing(cluster: Cluster) -> str:
    """Say what keeps the fleet from being settled; "" when nothing does."""
    return _missing_in_control(cluster) or _missing_in_data(cluster)


def _missing_in_control(cluster: Cluster) -> str:
    replicas = list(cluster.replicas.values())
    if not all(each.process.is_up and not each.process.is_paused for each in replicas):
        return "a director is down"
    if sum(each.leads for each in replicas) != 1:
        return "there is not exactly one leader"
    states = [each.director.state for each in replicas]
    indexes = [state.applied_index for state in states]
    if len(set(indexes)) != 1:
        return f"the replicas are at {indexes}"
    run = cluster.active_run()
    if run is not None:
        return f"{run.run_id} from {run.source} to {run.target} is {run.stage}"
    return "" if cluster.home() else "nobody owns the service"


def _missing_in_data(cluster: Cluster) -> str:
    state = cluster.newest().director.state
    group = state.groups[0]
    if group.serving != group.home:
        return f"{group.home} owns, but {group.serving} serves"
    owners = {
        each: cluster.world.watch.routes.owner_by_replica.get(each)
        for each in sorted(cluster.replicas)
    }
    if set(owners.values()) != {group.home}:
        return f"routes point at {owners}, the owner is {group.home}"
    open_at = [name for name, region in cluster.regions.items() if _is_open(cluster, name)]
    if open_at != [group.home]:
        return f"gates are open at {open_at}, the owner is {group.home}"
    token, last_ms = cluster.world.watch.writes.last
    if token != (state.generation, group.epoch):
        return f"the last write was under {token}, the epoch is {group.epoch}"
    age_ms = cluster.world.now_ms - last_ms
    return "" if age_ms <= _LAST_WRITE_MS_MAX else f"the last write is {age_ms} ms old"


def _is_open(cluster: Cluster, name: str) -> bool:
    region = cluster.regions[name]
    answer = region.gates.check(SERVICE) if region.process.is_up else None
    return answer is not None and answer.may_write
