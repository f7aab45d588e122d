"""Proof of work: a lease is asked for only when the service and the disk were seen to work (A6)."""

from director.routing.table import ServiceId

# Proof from before the last renewal does not count, nor does any older than this.
PROOF_AGE_MS = 2_000


class Proof:
    """When a probe of each service, and a durable write, last succeeded. Timed by their start."""

    def __init__(self) -> None:
        self._passed_at_ms: dict[ServiceId, int] = {}
        self._wrote_at_ms: int | None = None
        self._is_writing = False

    def passed(self, service_id: ServiceId, *, started_at_ms: int) -> None:
        """Note a passed probe of a guarded service."""
        self._passed_at_ms[service_id] = started_at_ms

    def wrote(self, *, succeeded: bool, started_at_ms: int) -> None:
        """Note the end of a durable write."""
        self._is_writing = False
        if succeeded:
            self._wrote_at_ms = started_at_ms

    def maybe_begin_write(self) -> bool:
        """Tell whether to start a write: not while one runs, or a hung disk would collect them."""
        if self._is_writing:
            return False
        self._is_writing = True
        return True

    def is_complete(self, service_id: ServiceId, *, since_ms: int | None, now_ms: int) -> bool:
        """Tell whether both succeeded lately, and not before ``since_ms`` (None: any time)."""
        oldest_ms = now_ms - PROOF_AGE_MS
        if since_ms is not None:
            oldest_ms = max(oldest_ms, since_ms)
        passed_at_ms = self._passed_at_ms.get(service_id)
        return (
            passed_at_ms is not None
            and passed_at_ms >= oldest_ms
            and self._wrote_at_ms is not None
            and self._wrote_at_ms >= oldest_ms
        )
