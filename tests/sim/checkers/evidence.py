"""C4: DOWN rests on the region's own word, or on what two other failure domains see."""

from director.core.commands import VerdictChange
from director.core.events import VerdictsRecorded
from director.core.state import State
from director.routing.table import Verdict

# The designed bound of 2 s, one interval of probes, and half a heartbeat of rounding.
_AGE_MS_MAX = 2_750
_UNHEARD = ("silent", "unheard")


class Evidence:
    """Looks at the evidence that the log keeps with each verdict."""

    def __init__(self) -> None:
        self.domain_by_director: dict[str, str] = {}
        self.count = 0

    def noted(self, event: VerdictsRecorded, state: State) -> None:
        """Verdicts were committed; ``state`` is the one after them."""
        for change in event.changes:
            if change.verdict is Verdict.DOWN:
                self.count += 1
                self._look_at(change, state)

    def _look_at(self, change: VerdictChange, state: State) -> None:
        domains = {str(each.region_id): each.failure_domain for each in state.topology.regions}
        own = domains.get(change.region_id, "")
        peers: set[str] = set()
        silent: set[str] = set()
        for each in change.evidence:
            kind, _, name = each.vantage.partition(":")
            if kind == "self" and each.finding == "fail" and each.age_ms <= _AGE_MS_MAX:
                return
            if kind == "peer" and each.finding == "fail" and each.age_ms <= _AGE_MS_MAX:
                peers.add(domains.get(name, ""))
            if kind == "director" and each.finding in _UNHEARD:
                silent.add(self.domain_by_director.get(name, name))
        peers -= {own, ""}
        others = (peers | silent) - {own, ""}
        assert peers, f"{change.service_id} in {change.region_id} is DOWN by no peer: {change}"
        assert len(others) >= 2, (
            f"{change.service_id} in {change.region_id} is DOWN by what {sorted(others)} alone "
            f"see(s): {change.evidence}"
        )
