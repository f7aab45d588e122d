"""A world with a drill in it, for the tests of drills."""

from director.core.commands import StageName
from director.core.drill import DrillCondition, DrillKind, DrillScenario, DrillSpec, DrillStage
from director.core.drill_record import Drill
from director.core.drill_view import report_hash
from director.core.events import Event
from director.core.inputs import DrillAsked
from director.core.topology import Topology
from tests.core.builders import CHAT
from tests.core.world import World, a_settled_world

FOR_MS = 20_000


def a_spec(kind: DrillKind = DrillKind.BLACKHOLE, **changes: object) -> DrillSpec:
    scenario = DrillScenario(
        kind,
        changes.pop("region_id", ""),  # type: ignore[arg-type]
        share_per_mille=changes.pop("share_per_mille", 1_000),  # type: ignore[arg-type]
        delay_ms=changes.pop("delay_ms", 600 if kind is DrillKind.LATENCY else 0),  # type: ignore[arg-type]
    )
    service_id = changes.pop("service_id", CHAT)
    for_ms = changes.pop("for_ms", FOR_MS)
    return DrillSpec(service_id, scenario, for_ms, **changes)  # type: ignore[arg-type]


def a_drill_world(
    spec: DrillSpec | None = None, topology: Topology | None = None, **changes: object
) -> World:
    """A settled world in which a drill was asked for a moment ago."""
    world = a_settled_world(topology, **changes)
    world.ask(DrillAsked(a_spec() if spec is None else spec), request_id="drill")
    return world


def drill_of(world: World) -> Drill:
    return world.chief.director.state.drills[-1]


def run_to(world: World, stage: DrillStage, *, within_ms: int = 60_000) -> Drill:
    """Run until the drill is in ``stage``."""

    def is_there() -> bool:
        drills = world.chief.director.state.drills
        return bool(drills) and drills[-1].stage is stage

    assert world.run_for(within_ms, is_there), f"{drill_of(world)} is not {stage}"
    return drill_of(world)


def run_to_run(world: World, stage: StageName, *, within_ms: int = 30_000) -> None:
    """Run until the drill's run is in ``stage``."""
    assert world.run_for(
        within_ms, lambda: any(run.stage is stage and run.drill_id for run in world.runs())
    )


def finished(world: World, *, within_ms: int = 240_000) -> Drill:
    """Run until the drill ended, and check what holds for every drill."""
    drill = run_to(world, DrillStage.ENDED, within_ms=within_ms)
    world.run_for(1_000)
    world.check_same_state()
    assert drill.report_hash == report_hash(drill)
    for agent in world.agents.values():
        assert agent.injections.wake_at_ms() is None, "nothing stays injected"
    return drill


def told(world: World, kind: type[Event]) -> list[Event]:
    return [event for _, event in world.chief.notes if isinstance(event, kind)]


def when(**states: object) -> DrillCondition:
    return DrillCondition(**states)  # type: ignore[arg-type]
