"""Counts of what resolves were answered, as plain integers: a hot path can afford to add one."""

from collections.abc import Iterator

OK = "ok"
FAIL_OPEN = "fail_open"


class Tally:
    """How often one service was answered with one region.

    Attributes:
        count: Answers so far; only ever added to.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tallies:
    """All counts of one process.

    They are bounded: services and regions come from route tables, outcomes from the reasons of
    refusals. A name that no table knows is counted under "".
    """

    def __init__(self) -> None:
        self._by_labels: dict[tuple[str, str, str], Tally] = {}

    def of(self, service_id: str, region_id: str, outcome: str) -> Tally:
        """Return the count to add to.

        Args:
            service_id: The service, "" for one that is not known.
            region_id: Where the client was sent; "" if it was refused.
            outcome: ``ok``, ``fail_open``, or the reason of a refusal in lower case.
        """
        labels = (service_id, region_id, outcome)
        found = self._by_labels.get(labels)
        if found is None:
            found = self._by_labels[labels] = Tally()
        return found

    def counts(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """Yield (service, region, outcome) and how often, sorted."""
        for labels in sorted(self._by_labels):
            yield labels, self._by_labels[labels].count
