"""A4: when ownership is granted anew, nobody else may act any more, nor ever again."""

from collections import defaultdict

from director.core.state import State

Token = tuple[int, int]


class RevokedBeforePromoted:
    """Compares the last permit of every other region with the instant of the grant, in true time.

    However the old owner was stopped, by its promise or by the end of its lease, no answer of its
    gate is good any more when the grant is made.
    """

    def __init__(self) -> None:
        self._until_ms: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._granted: dict[str, tuple[Token, str]] = {}
        self.count = 0

    def permitted(
        self, region_id: str, token: Token, *, now_ms: int, until_ms: int, service_id: str = "chat"
    ) -> None:
        """A gate allowed ``region_id`` to write strictly before ``until_ms``."""
        untils_ms = self._until_ms[service_id]
        untils_ms[region_id] = max(until_ms, untils_ms.get(region_id, 0))
        granted = self._granted.get(service_id)
        assert granted is None or granted[0] <= token or granted[1] == region_id, (
            f"the gate of {region_id} opened {service_id} under {token} at {now_ms} ms, after "
            f"{granted[0]} had been granted to {granted[1]}"
        )

    def restored(self) -> None:
        """What was granted behind the copy is to be granted again, in a new generation."""
        self._granted = {}

    def changed(self, before: State, after: State, *, now_ms: int) -> None:
        """An entry was applied for the first time anywhere."""
        if after.groups is before.groups and after.generation == before.generation:
            return
        for group in after.groups:
            token = (after.generation, group.epoch)
            known = self._granted.get(group.service_id)
            if group.home is None or (known is not None and known[0] >= token):
                continue
            self._granted[group.service_id] = (token, group.home)
            if known is None or known[1] != group.home:
                self.count += 1
                self._look_at_others(group.service_id, group.home, token, now_ms)

    def _look_at_others(self, service_id: str, home: str, token: Token, now_ms: int) -> None:
        for region_id, until_ms in self._until_ms[service_id].items():
            assert region_id == home or until_ms <= now_ms, (
                f"{service_id} was granted to {home} under {token} at {now_ms} ms although "
                f"{region_id} may write until {until_ms} ms"
            )
