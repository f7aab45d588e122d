"""Bugs to put into the production code, to see that the checkers notice them.

A bug is a replacement in the source of one function. If that source changes so that the bug can no
longer be put in, that is an error, and the bug is to be written anew.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType

from director.core import director, failover_run, lease, machine_runs
from director.core.commands import StageName
from regions.core import autonomy, fence
from tests.sim.options import LeaderLoss, Options, RegionLoss
from tests.sim.scenarios.leader_lost import LeaderLostDuringFailover
from tests.sim.scenarios.story import NotSettledError


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug.

    Attributes:
        function: With the class before a dot, if it is a method.
        under: Options to draw otherwise, for a bug that shows only when several things coincide.
    """

    name: str
    module: ModuleType
    function: str
    right: str
    wrong: str
    under: Mapping[str, object] = field(default_factory=dict)


_ALIVE = {"region_loss": RegionLoss.UNSEEN, "rpo_ms": None}
"""The home goes on writing while it is moved away from."""

BUGS = (
    Bug("the lease is counted from receipt", autonomy, "Autonomy.granted",
        "deadline_at_ms = sent_at_ms + given", "deadline_at_ms = now_ms + given",
        {"region_loss": RegionLoss.STALLED}),
    Bug("a gate stays open for longer than its lease", autonomy, "Autonomy.granted",
        "given.ttl_ms * USED_PER_MILLE", "given.ttl_ms * 1_500",
        {"region_loss": RegionLoss.CUT_OFF}),
    Bug("leases are granted without a barrier", director, "Director._take",
        "return self._leases.ask(given)",
        "self._leases.ask(given); return self._leases.passed("
        "self._leases._barrier_id, self._term or 0, self._state, now_ms=now_ms)",
        {**_ALIVE, "stage": StageName.CONFIRMING, "leader_loss": LeaderLoss.PAUSED_WITH_HOME}),
    Bug("a new leader does not wait for the old one's leases", lease, "LeaseBook._stopped_at_ms",
        "self._office_at_ms + self._timing.lease_wait_ms", "self._office_at_ms",
        {**_ALIVE, "stage": StageName.CONFIRMING, "leader_loss": LeaderLoss.ISOLATED_WITH_HOME}),
    Bug("grants of this office are forgotten", lease, "LeaseBook._stopped_at_ms",
        "if grant is not None and", "if grant is not None and False and", _ALIVE),
    Bug("a demotion is not awaited", failover_run, "_stopped",
        "if _has_promised(view)", "if True", _ALIVE),
    Bug("a promise is confirmed while permits are out", autonomy, "Autonomy._maybe_confirm",
        "and now_ms >= gate.quiet_at_ms", "", {**_ALIVE, "gate_answer_ms": 1_000}),
    Bug("an abort grants the same epoch again", machine_runs, "_granted",
        "epoch=group.epoch + 1", "epoch=group.epoch + (home != group.home)",
        {"stage": StageName.FENCING, "loses_target": True}),
    Bug("an agent obeys whoever speaks last", fence, "Fence.directed",
        "        return None\n    if known is None or given.token > known.token:",
        "        pass\n    if known is None or given.token != known.token:",
        {"leader_loss": LeaderLoss.KILLED}),
)  # fmt: skip


def put_in(bug: Bug, set_attribute: Callable[[object, str, object], None]) -> None:
    """Replace the function by its wrong version, by way of ``set_attribute``."""
    owner_name, _, name = bug.function.rpartition(".")
    owner = getattr(bug.module, owner_name) if owner_name else bug.module
    function = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert bug.right in source, f"the bug does not fit {bug.function} any more"
    namespace: dict[str, object] = {}
    code = compile(source.replace(bug.right, bug.wrong), bug.name, "exec")
    exec(code, vars(bug.module), namespace)  # noqa: S102 - our own source
    set_attribute(owner, name, namespace[name])


@dataclass(frozen=True, slots=True)
class Found:
    """Which seed noticed, counted from 1, and what it said."""

    seeds: int
    said: str
    is_by_checker: bool


def seeds_to_find(bug: Bug, seeds_max: int) -> Found | None:
    """Play seeds until one fails; None if they all pass."""
    for seed in range(seeds_max):
        options = replace(Options.draw(seed), **bug.under)  # type: ignore[arg-type]
        try:
            LeaderLostDuringFailover(options).run()
        except NotSettledError as error:
            return Found(seed + 1, str(error), is_by_checker=False)
        except AssertionError as error:
            return Found(seed + 1, str(error), is_by_checker=True)
        except Exception as error:
            return Found(seed + 1, repr(error), is_by_checker=False)
    return None
