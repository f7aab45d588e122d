"""How far copies were behind, dated so that no sample claims more than is known (invariant D3)."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from director.core.ids import FencingToken, GroupId
from director.core.observations import GateReading
from director.routing.table import RegionId, ServiceId

# At one sample per heartbeat this reaches back half a minute, far beyond any silence threshold.
_SAMPLES_MAX = 64
# A suspicion of the home, one of the home after it, and room for two that came to nothing.
_KEPT_MAX = 4

Pair = tuple[ServiceId, RegionId]


@dataclass(frozen=True, slots=True)
class LagSample:
    """A copy's lag, as measured at some instant between ``at_ms - slack_ms`` and ``at_ms``.

    Attributes:
        at_ms: The latest that it can have been measured: it arrived then, less its age.
        lag_ms: What was measured.
        slack_ms: The most time that it was on its way here.
        is_direct: This replica heard it from the agent itself, so that ``slack_ms`` is measured.
        gates: What the agent said of the gates of this service in the same report. An agent forgets
            a sample when it learns of another home, so it was measured against the one named here.
    """

    at_ms: int
    lag_ms: int
    slack_ms: int = 0
    is_direct: bool = True
    gates: tuple[GateReading, ...] = ()

    def follows(self, group_id: GroupId, token: FencingToken) -> bool:
        """Whether it was measured by somebody who knew of ``token``, or of a higher one."""
        return any(each.group_id == group_id and each.token >= token for each in self.gates)

    def has_same_owners(self, other: "LagSample") -> bool:
        """Whether both were measured against the same homes."""
        return [(each.group_id, each.token) for each in self.gates] == [
            (each.group_id, each.token) for each in other.gates
        ]

    @property
    def covered_through_ms(self) -> int:
        """Every write up to this instant is in the copy, however long the sample was on its way."""
        return self.at_ms - self.slack_ms - self.lag_ms


class LagLog:
    """The latest samples of every copy, and those from before its home was suspected."""

    def __init__(self) -> None:
        self._latest: dict[Pair, deque[LagSample]] = {}
        self._kept: dict[Pair, deque[LagSample]] = {}

    def take(self, pair: Pair, sample: LagSample) -> None:
        """Note a sample, unless it says nothing that the last one did not say."""
        samples = self._latest.get(pair)
        if samples is None:
            samples = self._latest[pair] = deque(maxlen=_SAMPLES_MAX)
        last = samples[-1] if samples else None
        if (
            last is None
            or sample.at_ms > last.at_ms
            or sample.covered_through_ms > last.covered_through_ms
        ):
            samples.append(sample)

    def keep(self, pair: Pair, *, until_ms: int) -> None:
        """Keep the best sample surely not after ``until_ms`` for as long as a decision may take.

        The home of the service is suspected since then, so that later samples prove nothing; a run
        may start only minutes later, by hand or after a cooldown.
        """
        usable = [each for each in self._latest.get(pair, ()) if each.at_ms <= until_ms]
        if usable:
            # Of the copy as it followed its last home: what it had of an earlier one may be undone.
            alike = [each for each in usable if each.has_same_owners(usable[-1])]
            best = max(alike, key=lambda each: each.covered_through_ms)
            kept = self._kept.setdefault(pair, deque(maxlen=_KEPT_MAX))
            if best not in kept:
                kept.append(best)

    def forget_others(self, pairs: Collection[Pair]) -> None:
        """Forget the copies that are not among ``pairs``."""
        for log in (self._latest, self._kept):
            for pair in [each for each in log if each not in pairs]:
                del log[pair]

    def samples(self, pair: Pair) -> tuple[LagSample, ...]:
        """Return the samples of a copy: those kept, then the latest, in the order they came."""
        return (*self._kept.get(pair, ()), *self._latest.get(pair, ()))
