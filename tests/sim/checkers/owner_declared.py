"""C7: whatever documents come, an owner keeps its site for as long as it owns."""

from director.core.state import State


class OwnerDeclared:
    """Looks at each state whose documents or owners are new."""

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        if after.topology is before.topology and after.groups is before.groups:
            return
        sites = {
            service.service_id: {site.region_id for site in service.sites}
            for service in after.topology.services
        }
        for group in after.groups:
            if group.home is None:
                continue
            assert group.home in sites.get(group.service_id, ()), (
                f"{group.home} owns {group.group_id}, and revision {after.revision} has no site "
                f"of {group.service_id} there"
            )
