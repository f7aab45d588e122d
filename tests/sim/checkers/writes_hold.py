"""R4: writes stay with their owner, however bad all verdicts are, until ownership itself moves."""

from director.core.commands import StageName
from director.core.state import Group, State
from director.routing.table import RouteTable, ServiceMode, ServiceRoute

Token = tuple[int, int]
_UNKNOWN: Token = (0, 0)


class WritesHold:
    """Looks at who serves, in the state and in every table that a replica publishes."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], ServiceRoute] = {}
        self._owner: dict[tuple[str, str], tuple[str, Token]] = {}
        self._home: dict[tuple[str, Token], str] = {}

    def replica_started(self, replica_id: str) -> None:
        """It publishes again what it published before."""
        self._seen = {key: route for key, route in self._seen.items() if key[0] != replica_id}
        self._owner = {key: known for key, known in self._owner.items() if key[0] != replica_id}

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        if after.groups is before.groups and after.runs is before.runs:
            return
        known = {group.group_id: group for group in before.groups}
        for group in after.groups:
            if group.home is not None:
                self._home[group.service_id, (after.generation, group.epoch)] = group.home
            was = known.get(group.group_id)
            if was is not None and was.serving is not None:
                self._look_at_serving(after, was, group)

    @staticmethod
    def _look_at_serving(after: State, was: Group, group: Group) -> None:
        moving = [
            run
            for run in after.runs
            if run.group_id == group.group_id and run.stage is StageName.PROMOTING
        ]
        if moving:
            assert group.serving == was.serving, (
                f"{group.group_id} is routed to {group.serving} before its gate is open"
            )
        else:
            assert group.serving == group.home, (
                f"{group.home} owns {group.group_id} and {group.serving} serves; no run is between"
            )

    def published(self, replica_id: str, table: RouteTable) -> None:
        """A replica would answer from this table now."""
        for service in table.services:
            key = (replica_id, service.service_id)
            if self._seen.get(key) is service:
                continue
            self._seen[key] = service
            if service.mode is not ServiceMode.ACTIVE_PASSIVE or service.owner is None:
                continue
            token = (service.generation, service.epoch)
            if key not in self._owner:
                # Its life may have begun while ownership was moving.
                self._owner[key] = (service.owner, _UNKNOWN)
            owner, since = self._owner[key]
            if owner != service.owner:
                assert token > since, (
                    f"{replica_id} sends {service.service_id} to {service.owner}, and not to "
                    f"{owner} any more, under the same {token}"
                )
                if self._home.get((service.service_id, token), service.owner) != service.owner:
                    # It installed a state in which the home of that token does not serve yet.
                    token = (token[0], token[1] - 1)
                self._owner[key] = (service.owner, token)
