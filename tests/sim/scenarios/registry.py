"""The scenarios by the names that ``python -m tests.sim --scenario`` knows."""

import re
from collections.abc import Callable

from tests.sim.options import Options
from tests.sim.scenarios import BY_FAULT
from tests.sim.scenarios.campaign import Campaign
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
}
"""What a name stands for, and how a seed is made into its world."""
