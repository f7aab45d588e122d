"""The model: what must hold after each transaction, counted the slow and obvious way.

It does not import the rules (``director.core.safety``, ``director.core.capacity``): where they are
wrong, or are asked too early, the counts here disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from director.core.commands import (
    ApplyManifest,
    Command,
    RecordVerdicts,
    SetOverride,
    SetRegionDrained,
    StartRun,
)
from director.core.events import Event, Rejected
from director.core.loads import RegionLoad
from director.core.routes import compile_table
from director.core.state import State
from director.routing.compiled import CompiledTable
from director.routing.table import Answer, Query, RefusalReason, RegionId, ServiceId
from tests.model.facts import Facts, ServiceFacts, facts

# R3: one region of a service per minute.
WINDOW_MS = 60_000
# R2: what must find room is the load and a tenth.
TENTHS = 11
_CLIENTS = 3


@dataclass
class Model:
    """Watches one machine from its first entry."""

    before: Facts = field(default_factory=dict)
    removed: dict[ServiceId, list[tuple[RegionId, int]]] = field(default_factory=dict)

    def look(
        self, was: State, command: Command, event: Event | None, state: State
    ) -> Iterable[str]:
        """Yield what ``command`` broke; nothing when all is well."""
        before, after = self.before, facts(state)
        self.before = after
        yield from _answers(after, state) if state.changed_index != was.changed_index else ()
        if isinstance(event, Rejected):
            if before != after:
                yield f"a rejected {type(command).__name__} changed something"
            return
        yield from _ownership(before, after, command)
        match command:
            case SetRegionDrained():
                yield from _withdrawn(before, after)
                yield from _room_for_drain(before, after, command)
            case SetOverride(override=None, lapsed_at_ms=0):
                yield from _taken_back(before, after)
            case SetOverride(override=None):
                yield from _taken_back(before, after)
                yield from self._removals(before, after, state.now_ms)  # the director does it
            case SetOverride():
                yield from _withdrawn(before, after)
            case ApplyManifest():
                yield from _withdrawn(before, _heard_of(before, after))
                yield from _room_for_documents(before, after, command.loads)
            case RecordVerdicts():
                yield from self._removals(before, after, state.now_ms)
            case StartRun():
                yield from _room_for_move(was, before, command)
            case _:
                pass  # it withdraws nothing; ownership and answers were looked at

    def _removals(self, before: Facts, after: Facts, now_ms: int) -> Iterable[str]:
        """R3, and R2 for the director itself: what it takes out, how many, and how fast."""
        for service_id, now in after.items():
            then = before.get(service_id)
            if then is None or now.is_passive:
                continue
            out = then.used - now.used
            if len(now.used) < min(len(then.used), now.least):
                yield f"R2: a verdict leaves {service_id} with {sorted(now.used)}"
            log = self.removed.setdefault(service_id, [])
            log[:] = [each for each in log if now_ms - each[1] < WINDOW_MS]
            log += [(region_id, now_ms) for region_id in sorted(out)]
            if len({region_id for region_id, _ in log}) > 1:
                yield f"R3: {service_id} lost {log} within a minute"


def _answers(after: Facts, state: State) -> Iterable[str]:
    """R1: whoever asks gets somewhere to go, but for a service that nobody owns yet."""
    compiled = CompiledTable(compile_table(state, ()))
    for service_id, now in after.items():
        for number in range(_CLIENTS):
            found = compiled.resolve(Query(service_id, session_id=f"client {number}"))
            if isinstance(found, Answer):
                if not found.endpoints:
                    yield f"R1: {service_id} answers with no endpoint"
                if now.is_passive and found.region_id != now.pointed:
                    yield f"R1: {service_id} is in {now.pointed} and answers {found.region_id}"
            elif now.is_passive and now.pointed in now.forbidden:
                pass  # an operator forbade the owner; it is refused until it has moved
            elif not (now.is_passive and now.owner is None):
                yield f"R1: {service_id} refuses with {found.reason}: {found.message}"
            elif found.reason is not RefusalReason.NO_OWNER:
                yield f"R1: {service_id} has no owner and refuses with {found.reason}"


def _ownership(before: Facts, after: Facts, command: Command) -> Iterable[str]:
    """A service that serves is not dropped, nor its owner's region, nor its mode changed."""
    allowed = command.allow_removed if isinstance(command, ApplyManifest) else ()
    for service_id, then in before.items():
        serves = then.owner is not None if then.is_passive else bool(then.well)
        now = after.get(service_id)
        if now is None or now.is_passive != then.is_passive:
            if serves and service_id not in allowed:
                yield f"R1: {service_id} was dropped, or its mode changed, while it served"
            continue
        for region_id in (now.owner, now.pointed):
            if region_id is not None and region_id not in now.sites:
                yield f"R1: {service_id} belongs to {region_id}, which has no site"


def _withdrawn(before: Facts, after: Facts) -> Iterable[str]:
    """R2: no operator takes a service below what must remain."""
    for service_id, now in after.items():
        then = before.get(service_id)
        if then is None or then.is_passive != now.is_passive:
            continue
        if len(now.well) < min(len(then.well), now.least):
            yield f"R2: {service_id} had {sorted(then.well)} and is left with {sorted(now.well)}"


def _heard_of(before: Facts, after: Facts) -> Facts:
    """Leave out what is well only because it is new, and nobody has looked at it yet."""
    return {
        service_id: replace(now, well=now.well & then.sites)
        if (then := before.get(service_id))
        else now
        for service_id, now in after.items()
    }


def _taken_back(before: Facts, after: Facts) -> Iterable[str]:
    """R2: a word taken back leaves a service where clients may go.

    What it had called well may be DOWN, and stay in service by a rule: that is no withdrawal.
    """
    for service_id, now in after.items():
        then = before[service_id]
        if len(now.used) < min(len(then.used), now.least):
            yield f"R2: {service_id} was in {sorted(then.used)} and is in {sorted(now.used)}"


def _room_for_drain(before: Facts, after: Facts, command: SetRegionDrained) -> Iterable[str]:
    if not command.drained or command.waives or before == after:
        return
    for service_id, now in after.items():
        then, load = before[service_id], _loads(service_id, command.loads)
        if command.region_id not in then.well:
            continue
        if now.is_passive:
            short = _is_owner_short(now, load)
        else:
            is_asked = command.region_id in then.carriers and command.region_id in load
            short = is_asked and _is_short(now, load)
        if short:
            yield f"R2: draining {command.region_id} leaves {service_id} without room: {load}"


def _is_owner_short(now: ServiceFacts, load: dict[RegionId, int]) -> bool:
    """Whether an owner that has to leave finds no standby that is known to be large enough."""
    owner = now.owner
    if owner is None or owner in now.well:
        return False  # it stays
    if owner not in load:
        return False
    standbys = [now.capacity[each] for each in now.well if each != owner]
    if 0 in standbys:
        return False
    return max(standbys, default=0) * 10 < load[owner] * TENTHS


def _is_short(now: ServiceFacts, load: dict[RegionId, int]) -> bool:
    """Whether it is known that what has to move does not fit into what the others have left."""
    if any(each not in load or now.capacity[each] == 0 for each in now.carriers):
        return False
    left = sum(max(0, now.capacity[each] - load[each]) for each in now.carriers)
    over = sum(max(0, load[each] - now.capacity[each]) for each in now.carriers)
    gone = sum(rps for region_id, rps in load.items() if region_id not in now.carriers)
    return left * 10 < (over + gone) * TENTHS


def _room_for_documents(
    before: Facts, after: Facts, loads: tuple[RegionLoad, ...]
) -> Iterable[str]:
    for service_id, now in after.items():
        then = before.get(service_id)
        if then is None or then.is_passive or now.is_passive:
            continue
        shrank = any(
            each not in now.carriers or now.capacity[each] < then.capacity[each]
            for each in then.carriers
        )
        # Clients were not sent to a new site before.
        load = dict.fromkeys(now.sites - then.sites, 0) | _loads(service_id, loads)
        if shrank and _is_short(now, load):
            yield f"R2: documents leave {service_id} without room"


def _room_for_move(was: State, before: Facts, command: StartRun) -> Iterable[str]:
    if command.kind.value == "failover" or command.waives or command.load_rps is None:
        return
    service_id = next(
        group.service_id for group in was.groups if group.group_id == command.group_id
    )
    then = before[service_id]
    size = then.capacity[command.target]
    if then.owner in was.drained_regions or size == 0:
        return
    if size * 10 < command.load_rps * TENTHS:
        yield f"R2: {service_id} moves to {command.target}, which takes {size} rps"


def _loads(service_id: ServiceId, loads: tuple[RegionLoad, ...]) -> dict[RegionId, int]:
    return {each.region_id: each.rps for each in loads if each.service_id == service_id}
