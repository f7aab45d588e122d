"""Stories that the simulator plays, and which of them shows which fault of the catalogue.

| Faults | Stories |
| --- | --- |
| 1-4, 29, 30 | ``processes``: killed, stopped, suspended, starved |
| 5-11, L1 | ``partitions``: cut, one way, partial, flapping, lossy, every graph of three |
| 13, 42 | ``messages``: old, replayed, forged |
| 14, 15 | ``clocks``: wall clocks that jump, rates that differ |
| 16-21, 23-26 | ``disks``: full, failing, slow, torn, damaged, wiped, restored |
| 27, 28, 31, 32, 34 | ``lost_regions``: lost, gray, slow, all at once, too far behind |
| 33 | ``directors``: no quorum for long |
| 35 | ``second_failures``: in every stage of a move |
| 36, 37, 43 | ``changes``: concurrent, repeated, poisoned |
| none | ``healthy``: whatever is done is a false alarm |

Of the catalogue's S rows one has no story: 39, a retry storm at twice the capacity. The core has no
notion of load or capacity that a storm could exceed; it belongs to tests on real processes.
Row 22, a misdirected read, is of layer D alone: the tests of the storage play it.
"""

from tests.sim.scenarios.changes import (
    AskedTwice,
    EverythingAtOnce,
    LastTwoDrained,
    PoisonedConfiguration,
)
from tests.sim.scenarios.clocks import RatesApart, RatesBeyondRho, WallClockJumps
from tests.sim.scenarios.directors import QuorumLost
from tests.sim.scenarios.disks import (
    Amnesia,
    FailingSync,
    FarBehind,
    FlippedBit,
    FullDisk,
    PowerLoss,
    RestoredFromYesterday,
    SlowDisk,
)
from tests.sim.scenarios.lost_regions import (
    AllUnhealthy,
    GrayRegion,
    OverRpo,
    RegionLost,
    ServiceFails,
    SlowShare,
)
from tests.sim.scenarios.messages import OldMessages, ReplayedReports
from tests.sim.scenarios.named import Named
from tests.sim.scenarios.partitions import (
    BadNetwork,
    DirectorGraph,
    FlappingLink,
    LeaderReachesOne,
    MinorityWithHome,
    OneWayLink,
    PartialPartition,
    Split,
)
from tests.sim.scenarios.processes import (
    AgentsEnd,
    AllDirectorsKilled,
    KilledAnywhere,
    PausedBeyondLease,
    PausedShortly,
    RegionCutOffInside,
    SlowObserver,
    Suspended,
)
from tests.sim.scenarios.second_failures import SecondFailure, SecondFailureOfSwitchover
from tests.sim.scenarios.unheard_leader import MuteLeader, UnheardLeader

BY_FAULT: dict[int, tuple[type[Named], ...]] = {
    1: (KilledAnywhere,),
    2: (AllDirectorsKilled,),
    3: (PausedShortly, PausedBeyondLease),
    4: (Suspended,),
    5: (Split,),
    6: (OneWayLink, MuteLeader, DirectorGraph),
    7: (PartialPartition, UnheardLeader),
    8: (LeaderReachesOne,),
    9: (MinorityWithHome,),
    10: (FlappingLink,),
    11: (BadNetwork,),
    13: (OldMessages,),
    14: (WallClockJumps,),
    15: (RatesApart, RatesBeyondRho),
    16: (FullDisk,),
    17: (FailingSync,),
    18: (SlowDisk,),
    19: (PowerLoss,),
    20: (FlippedBit,),
    21: (PowerLoss,),
    23: (FarBehind,),
    24: (FarBehind,),
    25: (Amnesia,),
    26: (RestoredFromYesterday,),
    27: (GrayRegion, ServiceFails),
    28: (SlowShare,),
    29: (SlowObserver,),
    30: (AgentsEnd, RegionCutOffInside),
    31: (RegionLost,),
    32: (AllUnhealthy,),
    33: (QuorumLost,),
    34: (OverRpo,),
    35: (SecondFailure, SecondFailureOfSwitchover),
    36: (EverythingAtOnce, LastTwoDrained),
    37: (AskedTwice,),
    42: (ReplayedReports,),
    43: (PoisonedConfiguration,),
}
"""The stories in which each fault of the catalogue really happens."""
