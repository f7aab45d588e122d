"""All bugs, in the order in which they are shown."""

from tests.sim.bugs import core_bugs, disk_bugs, fleet_bugs, machine_bugs, raft_bugs, route_bugs
from tests.sim.bugs.bug import Bug

BUGS: tuple[Bug, ...] = (
    *fleet_bugs.BUGS,
    *core_bugs.BUGS,
    *machine_bugs.BUGS,
    *route_bugs.BUGS,
    *raft_bugs.BUGS,
    *disk_bugs.BUGS,
)
