"""R1, R7: once there was an answer there always is one, with an endpoint; and none goes back."""

from director.routing.table import Override, RouteTable, ServiceMode, ServiceRoute, Site, Verdict

_Version = tuple[int, int]


class RouteNeverEmpty:
    """Looks at every table that a replica would serve."""

    def __init__(self) -> None:
        self._version: dict[str, _Version] = {}
        self._owned: set[tuple[str, str]] = set()
        self._owners: dict[tuple[str, str], str] = {}
        self._seen: dict[tuple[str, str], ServiceRoute] = {}

    @property
    def owner_by_replica(self) -> dict[str, str]:
        """Whom each replica names as the owner of the first service."""
        return {
            replica_id: owner
            for (replica_id, service_id), owner in self._owners.items()
            if service_id == "chat"
        }

    def owner(self, replica_id: str, service_id: str = "chat") -> str | None:
        """Whom a replica names as the owner in the last table of this life; None: nobody."""
        return self._owners.get((replica_id, service_id))

    def replica_started(self, replica_id: str) -> None:
        """It replays its log: what it published before it publishes again."""
        self._version.pop(replica_id, None)
        self._owned = {each for each in self._owned if each[0] != replica_id}
        self._owners = {key: owner for key, owner in self._owners.items() if key[0] != replica_id}
        self._seen = {key: route for key, route in self._seen.items() if key[0] != replica_id}

    def published(self, replica_id: str, table: RouteTable) -> None:
        """A replica would answer from this table now."""
        version = (table.generation, table.revision)
        before = self._version.get(replica_id, (0, 0))
        assert version >= before, f"{replica_id} went back from routes {before} to {version}"
        self._version[replica_id] = version
        drained = {each.region_id for each in table.regions if each.drained}
        present = {each.service_id for each in table.services}
        for key in [each for each in self._owned if each[0] == replica_id]:
            if key[1] not in present:  # the documents took the service away
                self._owned.discard(key)
        for service in table.services:
            key = (replica_id, service.service_id)
            if service.mode is ServiceMode.ACTIVE_PASSIVE:
                if self._seen.get(key) is not service:
                    self._look_at_owner(replica_id, service, version)
            else:
                usable = [
                    each
                    for each in service.sites
                    if each.region_id not in drained and not each.drained and _is_in(each)
                ]
                assert any(each.endpoints for each in usable), (
                    f"{replica_id} has no site for {service.service_id} any more at {version}"
                )
            self._seen[key] = service

    def _look_at_owner(self, replica_id: str, service: ServiceRoute, version: _Version) -> None:
        key = (replica_id, service.service_id)
        assert service.owner is not None or key not in self._owned, (
            f"{replica_id} has no owner of {service.service_id} any more at {version}"
        )
        if service.owner is None:
            return
        self._owned.add(key)
        self._owners[key] = service.owner
        assert any(site.region_id == service.owner and site.endpoints for site in service.sites), (
            f"{replica_id} sends {service.service_id} nowhere at {version}"
        )


def _is_in(site: Site) -> bool:
    """Whether a site of an active-active service takes clients, by verdict and operator."""
    if site.override is not None:
        return site.override is Override.FORCE_UP
    return site.verdict is not Verdict.DOWN or site.withheld != ""
