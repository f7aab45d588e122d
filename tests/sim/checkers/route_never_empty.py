"""R1, R7: once there was an answer there always is one, with an endpoint; and none goes back."""

from director.routing.table import RouteTable

_Version = tuple[int, int]


class RouteNeverEmpty:
    """Looks at every table that a replica would serve."""

    def __init__(self) -> None:
        self._version: dict[str, _Version] = {}
        self._owned: set[str] = set()
        self.owner_by_replica: dict[str, str] = {}

    def replica_started(self, replica_id: str) -> None:
        self._version.pop(replica_id, None)
        self._owned.discard(replica_id)
        self.owner_by_replica.pop(replica_id, None)

    def published(self, replica_id: str, table: RouteTable) -> None:
        version = (table.generation, table.revision)
        before = self._version.get(replica_id, (0, 0))
        assert version >= before, f"{replica_id} went back from routes {before} to {version}"
        self._version[replica_id] = version
        for service in table.services:
            assert service.owner is not None or replica_id not in self._owned, (
                f"{replica_id} has no owner of {service.service_id} any more at {version}"
            )
            if service.owner is None:
                continue
            self._owned.add(replica_id)
            self.owner_by_replica[replica_id] = service.owner
            endpoints = [
                endpoint
                for site in service.sites
                if site.region_id == service.owner
                for endpoint in site.endpoints
            ]
            assert endpoints, f"{replica_id} sends {service.service_id} nowhere at {version}"
