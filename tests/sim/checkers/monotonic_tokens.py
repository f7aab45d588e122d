"""A2, A3: epochs only rise and are never granted twice; nobody forgets a token it has seen."""

from collections import defaultdict

from director.core.events import Event, OwnershipGranted, RunAborted, RunAdvanced
from director.core.state import Group, State

Token = tuple[int, int]


class MonotonicTokens:
    """Follows every group on every replica, agent and service."""

    def __init__(self) -> None:
        self._applied: dict[tuple[str, str], tuple[Group, Token]] = {}
        self._home_by_token: dict[tuple[str, Token], str] = {}
        self._group_by_run: dict[str, str] = {}
        self._grants: defaultdict[str, dict[int, Token]] = defaultdict(dict)
        self._last_grant: dict[str, tuple[int, Token]] = {}
        self._durable: dict[tuple[str, str], Token] = {}
        self._used: dict[tuple[str, str], Token] = {}

    def replica_started(self, replica_id: str) -> None:
        """It replays its log, and may say again what it said."""
        for key in [each for each in self._applied if each[0] == replica_id]:
            del self._applied[key]

    def restored(self, index: int) -> None:
        """The log was cut behind ``index``, and a new generation goes on from there."""
        for group_id, grants in self._grants.items():
            kept = {at: token for at, token in grants.items() if at <= index}
            self._grants[group_id] = kept
            self._last_grant.pop(group_id, None)
            if kept:
                self._last_grant[group_id] = max(kept.items())

    def applied(self, replica_id: str, state: State) -> None:
        """A replica has this state now."""
        for group in state.groups:
            key = (replica_id, group.group_id)
            token = (state.generation, group.epoch)
            known = self._applied.get(key)
            if known is not None:
                if known[0] is group and known[1] == token:
                    continue
                assert token >= known[1], (
                    f"{replica_id} went back from {known[1]} to {token} of {group.group_id}"
                )
            self._applied[key] = (group, token)
            if group.home is not None:
                home = self._home_by_token.setdefault((group.group_id, token), group.home)
                assert home == group.home, (
                    f"token {token} of {group.group_id} was given to {home} and {group.home}"
                )

    def changed(self, before: State, after: State) -> None:
        """Learn which run is of which group."""
        if after.runs is not before.runs and after.run_count != before.run_count:
            for run in after.runs:
                self._group_by_run[run.run_id] = run.group_id

    def noted(self, replica_id: str, event: Event) -> None:
        """A grant was applied: every replica tells of it, each index is one grant."""
        match event:
            case OwnershipGranted(index, group_id, token=granted):
                self._granted(replica_id, group_id, index, (granted.generation, granted.epoch))
            case RunAdvanced(index, run_id, token=maybe) | RunAborted(index, run_id, token=maybe):
                if maybe is not None:
                    moved = self._group_by_run.get(run_id, run_id.rpartition("/")[0])
                    self._granted(replica_id, moved, index, (maybe.generation, maybe.epoch))
            case _:
                return

    def _granted(self, replica_id: str, group_id: str, index: int, token: Token) -> None:
        known = self._grants[group_id].get(index)
        if known is not None:
            assert known == token, f"{replica_id} saw {token} granted at {index}, others {known}"
            return
        last_index, last = self._last_grant.get(group_id, (0, (0, 0)))
        assert (index > last_index) is (token > last) is True, (
            f"{token} of {group_id} was granted at index {index}, {last} at {last_index}"
        )
        self._grants[group_id][index] = token
        self._last_grant[group_id] = (index, token)

    def kept(self, agent_id: str, token: Token, *, service_id: str = "chat") -> None:
        """An agent made ``token`` durable, or found it again when it started."""
        before = self._durable.get((agent_id, service_id), (0, 0))
        assert token >= before, f"{agent_id} knew {before} of {service_id} and now keeps {token}"
        self._durable[agent_id, service_id] = token

    def used(self, region_id: str, token: Token, *, service_id: str = "chat") -> None:
        """A gate of the region opened, or a write was acknowledged there, under ``token``."""
        before = self._used.get((region_id, service_id), (0, 0))
        if token == before:
            return
        assert token[1] > 0, f"{region_id} acts under {token}, which nobody was ever granted"
        assert token >= before, f"{region_id} acts on {service_id} under {token} after {before}"
        self._used[region_id, service_id] = token
