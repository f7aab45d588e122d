"""Applies the start of a generation: what makes every token of a state from the past a new one.

Agents keep the highest token of each group on their own disks, with the owner it was given to. So
they know of moves that the state forgot, and an owner that enough of them name goes on owning:
going back to the one before would lose what was written since, and nobody could bound it (D3).
"""

from collections.abc import Sequence
from dataclasses import replace

from director.core.commands import StageName, StartGeneration, TokenShown
from director.core.events import Event, GenerationStarted
from director.core.ids import FencingToken, GroupId
from director.core.reasons import Reason
from director.core.refusals import reject
from director.core.safety import Refusal
from director.core.state import Group, Run, State
from director.routing.table import RegionId

# No fleet is restored this often. Whoever shows more is wrong or lies, and must not use the
# numbers up.
GENERATION_JUMP_MAX = 1_000_000
# As for a verdict (C4): no single region's word moves anything.
_WITNESSES_MIN = 2
# What a run was decided on before it granted anything lies in the past as well.
_UNGRANTED = (StageName.DRAINING, StageName.CONFIRMING, StageName.FENCING)
_CAUSE = "STATE_RESTORED"


def granted_tokens(state: State) -> dict[GroupId, FencingToken]:
    """Return the highest token that ``state`` granted for each group it ever knew."""
    tokens = {
        group_id: FencingToken(state.generation, epoch) for group_id, epoch in state.retired_epochs
    }
    tokens.update({group.group_id: state.token(group) for group in state.groups})
    return tokens


def start_generation(state: State, index: int, command: StartGeneration) -> tuple[State, Event]:
    """Raise the generation. Groups stay with their homes, or go to those that agents agree on."""
    granted = granted_tokens(state)
    nothing = FencingToken(state.generation, 0)
    ahead = tuple(
        each for each in command.shown if each.token > granted.get(each.group_id, nothing)
    )
    refusal = _refusal(state, command, is_behind=bool(ahead or state.generation_due))
    if refusal is not None:
        return reject(state, index, command, refusal)
    owners = _owners_shown(state, ahead)
    groups = tuple(
        _taken_over(group, owners[group.group_id], index, state.now_ms)
        if group.group_id in owners
        else group
        for group in state.groups
    )
    runs = tuple(
        _ended(state, run, index, command.stamp.wall_ms)
        if run.stage in _UNGRANTED or (run.is_active and run.group_id in owners)
        else run
        for run in state.runs
    )
    state = replace(
        state,
        generation=command.generation,
        generation_due=0,
        groups=groups,
        runs=runs,
        changed_index=index,
    )
    return state, GenerationStarted(index, command.generation, ahead, tuple(owners))


def _ended(state: State, run: Run, index: int, wall_ms: int) -> Run:
    return replace(
        run,
        stage=StageName.ABORTED,
        stage_at_ms=state.now_ms,
        index=index,
        cause=_CAUSE,
        ended_wall_ms=wall_ms,
        notes=(*run.notes, "it was decided in an earlier generation"),
    )


def _taken_over(group: Group, shown: TokenShown, index: int, now_ms: int) -> Group:
    return replace(
        group,
        home=shown.home,
        serving=shown.home,
        # Also above the epoch that plans for the home before were decided at (A9).
        epoch=max(group.epoch + 1, shown.token.epoch),
        granted_index=index,
        granted_at_ms=now_ms,
    )


def _owners_shown(state: State, ahead: Sequence[TokenShown]) -> dict[GroupId, TokenShown]:
    """Return, sorted by group, who else owned last, where enough agents agree on it."""
    by_group: dict[GroupId, list[TokenShown]] = {}
    for each in ahead:
        by_group.setdefault(each.group_id, []).append(each)
    owners = {}
    for group in state.groups:
        words = by_group.get(group.group_id)
        if words and (shown := _agreed(state, group, words)) is not None:
            owners[group.group_id] = shown
    return owners


def _agreed(state: State, group: Group, words: list[TokenShown]) -> TokenShown | None:
    """What is said under the highest token, if it is believed and names another than the home."""
    highest = max(each.token for each in words)
    said = [each for each in words if each.token == highest]
    home = said[0].home
    service = state.topology.service(group.service_id)
    is_one = all(each.home == home for each in said)
    if service is None or home is None or home == group.home or not is_one:
        return None
    if service.site(home) is None:
        return None
    domains = {_domain(state, each.region_id) for each in said}
    # A region that says it owns no longer speaks against itself.
    gives_up = any(each.region_id == group.home for each in said)
    return said[0] if gives_up or len(domains) >= _WITNESSES_MIN else None


def _domain(state: State, region_id: RegionId) -> str:
    region = state.topology.region(region_id)
    return region_id if region is None else region.failure_domain


def _refusal(state: State, command: StartGeneration, *, is_behind: bool) -> Refusal | None:
    generation = command.generation
    if command.expected_generation != state.generation:
        return Refusal(
            Reason.STALE_EPOCH,
            f"generation {state.generation} is in force; generation {generation} was decided in "
            f"{command.expected_generation}",
        )
    if not is_behind:
        return Refusal(Reason.NOTHING_TO_DO, "every token that was shown is known here by now")
    shown = (each.token.generation for each in command.shown)
    least = max(max((state.generation, *shown)) + 1, state.generation_due)
    most = max(state.generation + GENERATION_JUMP_MAX + 1, state.generation_due)
    if not least <= generation <= most:
        return Refusal(
            Reason.INVALID_REQUEST,
            f"generation {generation} does not follow {state.generation}: {least} to {most} would",
        )
    return None
