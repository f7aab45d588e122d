"""Which kind of disk a world's directors have."""

from director.raft.messages import Membership
from tests.sim.disk import SimulatedDisk
from tests.sim.memory_disk import MemoryDisk
from tests.sim.process import Process
from tests.sim.wal_disk import WalDisk
from tests.sim.world import World


def a_disk(world: World, replica_id: str, process: Process, founding: Membership) -> SimulatedDisk:
    """Return an empty disk of the kind that the world's options name."""
    kind = WalDisk if world.options.disk == "wal" else MemoryDisk
    return kind(world, replica_id, process, founding)
