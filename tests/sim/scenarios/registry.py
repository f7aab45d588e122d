"""The scenarios by the names that ``python -m tests.sim --scenario`` knows."""

import re
from collections.abc import Callable

from tests.sim.options import Options
from tests.sim.scenarios import BY_FAULT
from tests.sim.scenarios.campaign import Campaign
from tests.sim.scenarios.directors import QuorumLostADay
from tests.sim.scenarios.drills import Drill
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover
from tests.sim.scenarios.story import Story

Draw = Callable[[int], Options]


def _named(kind: type[Story]) -> str:
    """LeaderReachesOne is leader-reaches-one."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


_STORIES = dict.fromkeys(kind for kinds in BY_FAULT.values() for kind in kinds)

SCENARIOS: dict[str, tuple[Callable[[Options], Story], Draw]] = {
    "campaign": (Campaign, Options.draw_campaign),
    "leader-lost": (LeaderLostDuringFailover, Options.draw),
    **{_named(kind): (kind, Options.draw) for kind in _STORIES},
    _named(Drill): (Drill, Options.draw),
    _named(QuorumLostADay): (QuorumLostADay, Options.draw),
}
"""What a name stands for, and how a seed is made into its world."""
GROUPS: dict[str, tuple[str, ...]] = {
    "all": tuple(name for name in SCENARIOS if name != _named(QuorumLostADay)),
    "stories": tuple(_named(kind) for kind in _STORIES),
}
"""Names for several at once. A day without a quorum takes minutes, and is asked for by its name."""
FAULTS_OF: dict[str, tuple[int, ...]] = {
    _named(story): tuple(number for number, kinds in BY_FAULT.items() if story in kinds)
    for story in _STORIES
} | {_named(QuorumLostADay): (33,)}
"""Which faults of the catalogue a story plays."""


def names_of(scenario: str) -> tuple[str, ...]:
    """Return the scenarios that a name stands for, be it one or a group."""
    return GROUPS.get(scenario, (scenario,))
