"""Tokens that agents have seen and this state never granted: proof that it comes from the past.

Agents keep the highest token they saw on their own disks, so they remember what directors that
were restored from a backup forgot. Soft: each replica has its own memory of it.
"""

from collections.abc import Mapping

from director.core.commands import Stamp, StartGeneration, TokenShown
from director.core.effects import Note
from director.core.events import Rejected
from director.core.ids import AgentId, FencingToken, GroupId
from director.core.machine_generation import GENERATION_JUMP_MAX, granted_tokens
from director.core.observations import GateReading
from director.core.reasons import Reason
from director.core.state import Group, State
from director.routing.table import RegionId

GENERATION_KEY = "generation"
# An agent guards no more services than this. Of each region, so that none hides another's.
_SHOWN_PER_REGION_MAX = 2_000
# Far below what an entry of the log holds. Agents name groups and homes as they like.
_SHOWN_MAX = 5_000
_SHOWN_BYTES_MAX = 512 << 10
_TOKEN_BYTES = 32
# No group and no region has a longer name.
_NAME_BYTES_MAX = 128
# Agents find their directors within this. What one shows is proof; what all show tells who owned.
_HEARD_WITHIN_MS = 5_000
# A new generation stops the writes of all services for a moment. A region that shows ever higher
# tokens brings that about once in this time, and no more often.
_REGION_COUNTS_AGAIN_MS = 60_000


class TokensShown:
    """What agents showed beyond what the state granted. Mutable, but pure."""

    def __init__(self) -> None:
        self._ahead: dict[RegionId, dict[GroupId, TokenShown]] = {}
        self._counted_at_ms: dict[RegionId, int] = {}
        self._granted: Mapping[GroupId, FencingToken] = {}
        self._granted_by: tuple[int, tuple[Group, ...], tuple[tuple[GroupId, int], ...]] | None
        self._granted_by = None
        self._absurd: dict[RegionId, TokenShown] = {}
        self._told: set[RegionId] = set()
        self._first_at_ms: int | None = None

    def take(
        self, state: State, region_id: RegionId, agent_id: AgentId, gates: tuple[GateReading, ...]
    ) -> None:
        """Note which tokens an agent showed that ``state`` never granted."""
        for gate in gates:
            promised = gate.demoted_through
            token = gate.token if promised is None else max(gate.token, promised)
            if token <= self._granted_token(state, gate.group_id):
                continue
            if _name_bytes(gate.group_id, gate.home or "") > 2 * _NAME_BYTES_MAX:
                continue
            home = gate.home if token == gate.token else None
            shown = TokenShown(gate.group_id, region_id, agent_id, token, home)
            if _is_absurd(token, self._granted_token(state, gate.group_id)):
                self._absurd.setdefault(region_id, shown)
                continue
            by_group = self._ahead.setdefault(region_id, {})
            known = by_group.get(gate.group_id)
            is_new = known is None and len(by_group) < _SHOWN_PER_REGION_MAX
            if is_new or (known is not None and _says_more(shown, known)):
                by_group[gate.group_id] = shown

    def holds_back(self, state: State, *, now_ms: int) -> bool:
        """Whether nobody may act on ``state``: it comes from the past."""
        is_held = state.generation_due > 0 or bool(self.ahead_of(state, now_ms=now_ms))
        if not is_held:
            self._first_at_ms = None  # the next time the agents are waited for anew
        return is_held

    def ahead_of(self, state: State, *, now_ms: int) -> tuple[TokenShown, ...]:
        """Return what proves that ``state`` comes from the past; empty while nothing does."""
        if not self._ahead:
            return ()
        self._forget_granted(state)
        return tuple(
            shown
            for region_id, by_group in sorted(self._ahead.items())
            if self._counts(region_id, now_ms=now_ms)
            for _, shown in sorted(by_group.items())
        )

    def _forget_granted(self, state: State) -> None:
        """Drop what was granted meanwhile: it proves nothing, this replica was only behind."""
        left: dict[RegionId, dict[GroupId, TokenShown]] = {}
        for region_id, by_group in self._ahead.items():
            ahead = {
                group_id: shown
                for group_id, shown in by_group.items()
                if shown.token > self._granted_token(state, group_id)
            }
            if ahead:
                left[region_id] = ahead
        self._ahead = left

    def remedy(
        self, state: State, stamp: Stamp, *, is_complete: bool, now_ms: int
    ) -> StartGeneration | None:
        """Return the command that makes every token larger than those shown, if it is time for it.

        Args:
            state: What is replicated.
            stamp: Of the command.
            is_complete: Agents of every region were heard, so that nobody is to be waited for.
            now_ms: The local clock.
        """
        shown = self.ahead_of(state, now_ms=now_ms)
        if not shown and not state.generation_due:
            return None
        if self._first_at_ms is None:
            self._first_at_ms = now_ms
        if not is_complete and now_ms - self._first_at_ms < _HEARD_WITHIN_MS:
            return None
        # Also above those of regions that do not count at present.
        highest = max(
            (each.token.generation for group in self._ahead.values() for each in group.values()),
            default=0,
        )
        generation = max(max(state.generation, highest) + 1, state.generation_due)
        return StartGeneration(stamp, generation, state.generation, _fitting(shown))

    def counted(self, shown: tuple[TokenShown, ...], *, now_ms: int) -> None:
        """A generation was started on the word of these."""
        for each in shown:
            self._counted_at_ms[each.region_id] = now_ms

    def news(self, *, applied_index: int) -> list[Note]:
        """Return which claims are refused, once for each region."""
        absurd, self._absurd = self._absurd, {}
        news = []
        for region_id, shown in sorted(absurd.items()):
            if region_id in self._told:
                continue
            self._told.add(region_id)
            message = (
                f"agent {shown.agent_id} of {region_id} shows token {shown.token} for "
                f"{shown.group_id}: more than {GENERATION_JUMP_MAX} generations or epochs ahead is "
                "not believed"
            )
            metadata = (("regionId", region_id), ("agentId", shown.agent_id))
            rejected = Rejected(
                applied_index, "StartGeneration", Reason.INVALID_REQUEST, message, metadata
            )
            news.append(Note(rejected))
        return news

    def _counts(self, region_id: RegionId, *, now_ms: int) -> bool:
        at_ms = self._counted_at_ms.get(region_id)
        return at_ms is None or now_ms - at_ms >= _REGION_COUNTS_AGAIN_MS

    def _granted_token(self, state: State, group_id: GroupId) -> FencingToken:
        by = (state.generation, state.groups, state.retired_epochs)
        was = self._granted_by
        # By identity: comparing thousands of groups costs more than what it would save.
        if was is None or was[0] != by[0] or was[1] is not by[1] or was[2] is not by[2]:
            self._granted, self._granted_by = granted_tokens(state), by
        return self._granted.get(group_id, FencingToken(state.generation, 0))


def _is_absurd(token: FencingToken, granted: FencingToken) -> bool:
    return (
        token.generation > granted.generation + GENERATION_JUMP_MAX
        or token.epoch > granted.epoch + GENERATION_JUMP_MAX
    )


def _says_more(shown: TokenShown, known: TokenShown) -> bool:
    """Whether it shows a higher token, or names the owner that another agent did not know."""
    if shown.token == known.token:
        return known.home is None and shown.home is not None
    return shown.token > known.token


def _name_bytes(*names: str) -> int:
    return sum(len(name.encode()) for name in names)


def _fitting(shown: tuple[TokenShown, ...]) -> tuple[TokenShown, ...]:
    """Return as many as surely fit into one entry of the log, the first at least."""
    left_bytes = _SHOWN_BYTES_MAX
    for count, each in enumerate(shown[:_SHOWN_MAX]):
        names = (each.group_id, each.region_id, each.agent_id, each.home or "")
        left_bytes -= _TOKEN_BYTES + _name_bytes(*names)
        if left_bytes < 0:
            return shown[: max(1, count)]
    return shown[:_SHOWN_MAX]
