"""How current this replica's view is, for the label on every answer (R6, A8)."""

from collections.abc import Callable
from dataclasses import dataclass

from director.client.watch import Source
from director.client.wire import UINT32_MAX
from director.consensus.port import Standing
from director.runtime.clock import boot_ms, wall_ms

# How often the age is measured anew. In between it grows with the clock, so that a label is never
# younger than the truth and a resolve does not have to ask the engine.
REFRESH_MS = 50


@dataclass(slots=True)
class ViewAge:
    """The age of what this replica answers from.

    A view is confirmed at an instant if a quorum was in contact then and everything that was
    committed by then has been applied. Until the first such instant it is what the disk kept.

    Attributes:
        standing: Where the engine stands. Its contact confirms the view once everything that was
            committed by then is applied, so a replica that is behind is not confirmed by word
            from the leader alone.
        staleness_bound_ms: Beyond this, answers are labelled stale.
        confirmed_at_ms: Boot time of the newest confirmation; None before the first.
        kept_wall_ms: Wall clock at which the table from disk was written; None without one. It
            labels an age and decides nothing.
    """

    standing: Callable[[], Standing]
    staleness_bound_ms: int
    confirmed_at_ms: int | None = None
    kept_wall_ms: int | None = None
    _awaited: tuple[int, int] | None = None
    """A contact as (index to be applied, instant) that was ahead of this replica when it was seen.

    While writes go on, the newest contact is ahead whenever one looks. One that is kept until it
    is reached confirms the view all the same, as of its own instant.
    """

    def refresh(self, *, applied_index: int, table_revision: int) -> None:
        """Measure. ``table_revision`` is that of the table being served.

        A table from disk may be newer than what was replayed so far; until the replay has reached
        it, nothing about it is confirmed.
        """
        standing = self.standing()
        contact_at_ms = standing.quorum_contact_at_ms
        if contact_at_ms is None or applied_index < table_revision:
            return
        newest = (standing.contact_index, contact_at_ms)
        if applied_index >= standing.contact_index:
            self._confirm(contact_at_ms)
            self._awaited = None
        elif self._awaited is None or standing.contact_index <= self._awaited[0]:
            self._awaited = newest
        elif applied_index >= self._awaited[0]:
            self._confirm(self._awaited[1])
            self._awaited = newest

    def _confirm(self, at_ms: int) -> None:
        if self.confirmed_at_ms is None or at_ms > self.confirmed_at_ms:
            self.confirmed_at_ms = at_ms

    def age_ms(self) -> int:
        """Milliseconds since the view was last confirmed; the greatest number if it never was."""
        if self.confirmed_at_ms is not None:
            return max(0, boot_ms() - self.confirmed_at_ms)
        if self.kept_wall_ms is not None:
            return min(UINT32_MAX, max(0, wall_ms() - self.kept_wall_ms))
        return UINT32_MAX

    def label(self) -> tuple[int, Source]:
        """Return the age and what it makes of an answer."""
        age_ms = self.age_ms()
        if self.confirmed_at_ms is None:
            return age_ms, Source.KEPT
        return age_ms, Source.FRESH if age_ms <= self.staleness_bound_ms else Source.STALE
