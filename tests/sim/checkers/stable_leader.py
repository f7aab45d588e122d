"""L1: soon after the links are whole there is a leader, and it stays."""

# Three elections of at most 2 s each, and a lost packet or two.
_LEADER_WITHIN_MS = 8_000


class StableLeader:
    """Told when everything is healed and when faults begin again.

    Attributes:
        times_ms: From each heal to the first sign of a leader, for summaries.
        terms_after: Terms that began after a leader was there, with nothing broken.
    """

    def __init__(self) -> None:
        self.times_ms: list[int] = []
        self.terms_after = 0
        self._healed_ms: int | None = None
        self._term: int | None = None

    def healed(self, *, now_ms: int) -> None:
        """Every replica runs, and hears every other, from now on."""
        self._healed_ms, self._term = now_ms, None

    def disturbed(self) -> None:
        """Something is broken again: nothing is promised."""
        self._healed_ms = self._term = None

    def led(self, term: int, *, now_ms: int) -> None:
        """A replica leads at this moment."""
        if self._healed_ms is None:
            return
        if self._term is None:
            self.look(now_ms=now_ms)
            self.times_ms.append(now_ms - self._healed_ms)
            self._term = term
        elif term > self._term:
            self.terms_after += 1
            self._term = term

    def look(self, *, now_ms: int) -> None:
        """Raise AssertionError if there has been no leader for too long."""
        if self._healed_ms is None or self._term is not None:
            return
        assert now_ms - self._healed_ms <= _LEADER_WITHIN_MS, (
            f"healed at {self._healed_ms} ms, and no leader at {now_ms} ms"
        )
