"""R2: no drain, no operator's word and no document leaves a service with too few sites."""

from director.core.state import State
from director.core.topology import ServiceSpec
from director.routing.table import Override, Verdict


class NeverDrainsLast:
    """Looks at each change that takes a site away otherwise than by a verdict."""

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        # Of equal parts two replicas have two objects, if one of them began with a snapshot.
        if after.revision != before.revision:
            self._look_at_documents(before, after)
        elif after.drained_regions != before.drained_regions or (
            after.overrides is not before.overrides
            and dict(after.overrides) != dict(before.overrides)
        ):
            self._look_at_withdrawal(before, after)

    @staticmethod
    def _look_at_withdrawal(before: State, after: State) -> None:
        for service in after.topology.services:
            gone = serving_in(before, service) - serving_in(after, service)
            left = healthy_in(after, service)
            assert not gone or len(left) >= _least(after, service), (
                f"{service.service_id} lost {sorted(gone)} at index {after.applied_index} and has "
                f"only {sorted(left)}; {_least(after, service)} must remain"
            )

    @staticmethod
    def _look_at_documents(before: State, after: State) -> None:
        for service in after.topology.services:
            was = before.topology.service(service.service_id)
            if was is None:
                continue
            least = min(_least(after, service), len(healthy_in(before, was)))
            left = healthy_in(after, service)
            assert len(left) >= least, (
                f"the documents of index {after.applied_index} leave {service.service_id} only "
                f"{sorted(left)}; {least} must remain"
            )


def serving_in(state: State, service: ServiceSpec) -> set[str]:
    """Which sites take part in routing, also those that a rule keeps although they are DOWN."""
    serving = set()
    for site in service.sites:
        pair = (service.service_id, site.region_id)
        override, record = state.overrides.get(pair), state.verdicts.get(pair)
        is_out = record is not None and record.verdict is Verdict.DOWN and not record.withheld
        if override is not None:
            is_out = override is Override.FORCE_DOWN
        if not is_out and site.region_id not in state.drained_regions:
            serving.add(str(site.region_id))
    return serving


def healthy_in(state: State, service: ServiceSpec) -> set[str]:
    """Which sites take part, but not those that are DOWN."""
    healthy = set()
    for region_id in sorted(serving_in(state, service)):
        pairs = [pair for pair in state.verdicts if pair == (service.service_id, region_id)]
        is_down = any(state.verdicts[pair].verdict is Verdict.DOWN for pair in pairs)
        is_forced = any(
            word is Override.FORCE_UP
            for pair, word in state.overrides.items()
            if pair == (service.service_id, region_id)
        )
        if is_forced or not is_down:
            healthy.add(region_id)
    return healthy


def _least(state: State, service: ServiceSpec) -> int:
    return max(1, state.topology.policy(service.policy_id).serving_regions_min)
