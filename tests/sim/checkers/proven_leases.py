"""A6: whoever asks for a lease has lately written durably and seen its service pass its probe."""

# The agent's own bound is 2 s of its clock; a clock may be slow by 5 %.
_PROOF_AGE_MS_MAX = 2_120


class ProvenLeases:
    """Keeps the start, in true time, of the last success of each kind."""

    def __init__(self) -> None:
        self._wrote_ms: dict[str, int] = {}
        self._passed_ms: dict[tuple[str, str], int] = {}
        self.count = 0

    def agent_started(self, region_id: str) -> None:
        """What an earlier life has proved does not count."""
        self._wrote_ms.pop(region_id, None)
        for key in [each for each in self._passed_ms if each[0] == region_id]:
            del self._passed_ms[key]

    def wrote(self, region_id: str, *, started_ms: int) -> None:
        """A write of the region's agent that began at ``started_ms`` became durable."""
        self._wrote_ms[region_id] = started_ms

    def passed(self, region_id: str, *, started_ms: int, service_id: str = "chat") -> None:
        """The region's own probe of its service, begun at ``started_ms``, passed."""
        self._passed_ms[region_id, service_id] = started_ms

    def asked(self, region_id: str, *, now_ms: int, service_id: str = "chat") -> None:
        """The region's agent asks for a lease."""
        self.count += 1
        for what, at_ms in (
            ("wrote durably", self._wrote_ms.get(region_id)),
            ("passed its probe", self._passed_ms.get((region_id, service_id))),
        ):
            age_ms = _PROOF_AGE_MS_MAX + 1 if at_ms is None else now_ms - at_ms
            assert age_ms <= _PROOF_AGE_MS_MAX, (
                f"{region_id} asks for a lease on {service_id} at {now_ms} ms and last {what} at "
                f"{at_ms} ms"
            )
