"""A2, A3: epochs only rise and are never granted twice; nobody forgets a token it has seen."""

from director.core.events import Event, OwnershipGranted, RunAborted, RunAdvanced
from director.core.state import State

Token = tuple[int, int]


class MonotonicTokens:
    """One group is enough: the simulated fleet has one."""

    def __init__(self) -> None:
        self._applied: dict[str, Token] = {}
        self._home_by_token: dict[Token, str] = {}
        self._grant_by_index: dict[int, Token] = {}
        self._durable: dict[str, Token] = {}
        self._used: dict[str, Token] = {}

    def replica_started(self, replica_id: str) -> None:
        self._applied.pop(replica_id, None)

    def applied(self, replica_id: str, state: State) -> None:
        for group in state.groups:
            token = (state.generation, group.epoch)
            before = self._applied.get(replica_id, (0, 0))
            assert token >= before, f"{replica_id} went back from {before} to {token}"
            self._applied[replica_id] = token
            if group.home is not None:
                home = self._home_by_token.setdefault(token, group.home)
                assert home == group.home, f"token {token} was given to {home} and {group.home}"

    def noted(self, replica_id: str, event: Event) -> None:
        """A grant was applied: every replica tells of it, each index is one grant."""
        match event:
            case OwnershipGranted(index, token=granted):
                pass
            case RunAdvanced(index, token=granted) | RunAborted(index, token=granted):
                if granted is None:
                    return
            case _:
                return
        token = (granted.generation, granted.epoch)
        known = self._grant_by_index.setdefault(index, token)
        assert known == token, f"{replica_id} saw {token} granted at {index}, others {known}"
        for other_index, other in self._grant_by_index.items():
            assert (other_index < index) == (other < token), (
                f"{token} was granted at index {index}, {other} at {other_index}"
            )

    def kept(self, agent_id: str, token: Token) -> None:
        """An agent made ``token`` durable, or found it again when it started."""
        before = self._durable.get(agent_id, (0, 0))
        assert token >= before, f"{agent_id} knew {before} and now keeps {token}"
        self._durable[agent_id] = token

    def used(self, region_id: str, token: Token) -> None:
        """A gate of the region opened, or a write was acknowledged there, under ``token``."""
        before = self._used.get(region_id, (0, 0))
        assert token[1] > 0, f"{region_id} acts under {token}, which nobody was ever granted"
        assert token >= before, f"{region_id} acts under {token} after {before}"
        self._used[region_id] = token
