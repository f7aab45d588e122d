"""R3: automation takes at most one region of an active-active service out per minute."""

from director.core.state import State, VerdictRecord
from director.routing.table import ServiceMode, Verdict

_REGIONS_MAX = 1
_WINDOW_MS = 60_000


class Velocity:
    """Keeps who was taken out when, in director time, by the verdicts themselves."""

    def __init__(self) -> None:
        self._removed: dict[str, dict[str, int]] = {}
        self.count = 0

    def restored(self) -> None:
        """What was taken out behind the copy is not known any more."""
        self._removed = {}

    def changed(self, before: State, after: State) -> None:
        """An entry was applied for the first time anywhere."""
        # Documents bring no verdicts. (Of equal parts two replicas may have two objects.)
        if after.verdicts is before.verdicts or after.revision != before.revision:
            return
        for (service_id, region_id), record in after.verdicts.items():
            was = before.verdicts.get((service_id, region_id))
            if was is record or _is_out(was) or not _is_out(record):
                continue
            service = after.topology.service(service_id)
            if service is None or service.mode is not ServiceMode.ACTIVE_ACTIVE:
                continue
            self.count += 1
            removed = self._removed.setdefault(service_id, {})
            removed[region_id] = after.now_ms
            lately = [each for each, at_ms in removed.items() if at_ms > after.now_ms - _WINDOW_MS]
            assert len(lately) <= _REGIONS_MAX, (
                f"{', '.join(lately)} were taken out of {service_id} within {_WINDOW_MS} ms"
            )


def _is_out(record: VerdictRecord | None) -> bool:
    return record is not None and record.verdict is Verdict.DOWN and not record.withheld
