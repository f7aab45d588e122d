"""R6: what a replica answers from is what it knows: each change is published as it is applied.

So no replica goes on to route to a region that it knows to be DOWN, drained or forced down: the
time between a verdict and the routes of a replica is the time its log takes to reach it.
"""

from director.core.state import State
from director.routing.table import RouteTable, ServiceMode, ServiceRoute, Site, Verdict


class FreshRoutes:
    """Compares each published table with the state that its replica had applied."""

    def __init__(self) -> None:
        self._state: dict[str, State] = {}
        self._due: dict[str, int] = {}

    def replica_started(self, replica_id: str) -> None:
        """It has published nothing in this life."""
        self._state.pop(replica_id, None)
        self._due.pop(replica_id, None)

    def applied(self, replica_id: str, state: State) -> None:
        """A replica has this state now; if routes depend on what changed, a table follows."""
        due = self._due.get(replica_id)
        assert due is None, f"{replica_id} never published the routes of index {due}"
        before = self._state.get(replica_id)
        if before is not None and before.changed_index != state.changed_index:
            self._due[replica_id] = state.changed_index
        self._state[replica_id] = state

    def published(self, replica_id: str, table: RouteTable) -> None:
        """A replica would answer from this table now."""
        state = self._state.get(replica_id)
        if state is None:
            return  # it publishes what its snapshot says
        self._due.pop(replica_id, None)
        assert (table.generation, table.revision) == (state.generation, state.changed_index), (
            f"{replica_id} publishes {table.generation}.{table.revision}; its state is "
            f"{state.generation}.{state.changed_index}"
        )
        drained = {each.region_id for each in table.regions if each.drained}
        assert drained == set(state.drained_regions), f"{replica_id} says {drained} are drained"
        declared = [each.service_id for each in state.topology.services]
        assert declared == [each.service_id for each in table.services], (
            f"{replica_id} publishes other services than {declared}"
        )
        for service in table.services:
            _look_at(replica_id, state, service)


def _look_at(replica_id: str, state: State, service: ServiceRoute) -> None:
    for site in service.sites:
        _look_at_site(replica_id, state, service, site)
    for group in state.groups:
        if group.service_id == service.service_id:
            said = (service.owner, service.generation, service.epoch)
            is_owned = group.home is not None
            known = (
                group.serving,
                state.generation if is_owned else 0,
                group.epoch if is_owned else 0,
            )
            assert said == known, f"{replica_id} publishes {said} of {service.service_id}: {known}"


def _look_at_site(replica_id: str, state: State, service: ServiceRoute, site: Site) -> None:
    pair = (service.service_id, site.region_id)
    record = state.verdicts.get(pair)
    verdict = Verdict.UNKNOWN if record is None else record.verdict
    assert site.verdict is verdict, (
        f"{replica_id} publishes {service.service_id} in {site.region_id} as {site.verdict}; it "
        f"knows that it is {verdict}"
    )
    assert site.override is state.overrides.get(pair), (
        f"{replica_id} publishes {site.override} for {pair}; it knows {state.overrides.get(pair)}"
    )
    if service.mode is ServiceMode.ACTIVE_ACTIVE:
        withheld = "" if record is None else record.withheld
        assert site.withheld == withheld, (
            f"{replica_id} publishes {pair} as withheld by {site.withheld!r}, not {withheld!r}"
        )
