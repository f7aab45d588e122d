"""Sends some clients of a full region on to the next one with room.

Which regions are full, and which share of their clients they send on, is in the route table; here
it is only decided for one client. The choice hangs on the client and the region alone, so that a
client keeps its region while the share stays, and a larger share moves further clients but none
back.
Health comes first: what is said here never takes a region's last client away, and where health had
to be ignored (panic) nobody is sent on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from director.routing.eligibility import Basis, Pool, Standing
from director.routing.rendezvous import key_hash, mixed, ranked
from director.routing.table import Answer, RegionId, Site

_PER_MILLE = 1_000
_HASH_BITS = 64
# A site that a rule keeps in service although it is DOWN gets no more than its own.
_TAKING = frozenset({Standing.USABLE, Standing.OVERRIDE_UP})


@dataclass(frozen=True, slots=True)
class Tier:
    """Regions of one priority that take clients of full ones.

    Attributes:
        answers: The prepared answer of each region by number; None where it takes none.
        shares: The same regions with their weights, for clients without a place.
        answer_by_id: The same answers by region.
    """

    answers: tuple[Answer | None, ...]
    shares: tuple[tuple[str, int], ...]
    answer_by_id: Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Overflow:
    """What full regions of one service send on, and who takes it. ``taking`` is never empty."""

    share_by_id: Mapping[RegionId, int]
    taking: Tier

    def passed_on(self, answer: Answer, key: str, order: Sequence[int] | None) -> Answer:
        """Return ``answer``, or that of the region which takes this client instead.

        Args:
            answer: What the client would get.
            key: Stands for the client: the same client, the same key.
            order: Its order of preference; None: it has no place, and is spread by weight.
        """
        share = self.share_by_id.get(answer.region_id)
        if share is None or not is_sent_on(answer, key, share):
            return answer
        tier = self.taking
        if order is None:
            return tier.answer_by_id[ranked(f"{answer.service_id}/{key}", tier.shares)[0]]
        return next(taken for number in order if (taken := tier.answers[number]) is not None)


def is_sent_on(answer: Answer, key: str, share: int) -> bool:
    """Whether a client is among the ``share`` per mille that the answer's region sends on."""
    bits = mixed(key_hash(f"{answer.service_id}/{key}"), f"spill/{answer.region_id}")
    return bits * _PER_MILLE >> _HASH_BITS < share


def sending(usable: Pool) -> dict[RegionId, int]:
    """Return the shares of the serving regions that send clients on; empty while none is to."""
    if usable.basis is not Basis.HEALTHY:
        return {}
    return {
        site.region_id: site.spill_per_mille
        for site in usable.first_tier
        if site.spill_per_mille > 0
    }


def takers(usable: Pool, standing_by_id: Mapping[RegionId, Standing]) -> tuple[Site, ...]:
    """Return the regions that take clients of full ones, all of the lowest priority number."""
    found = [
        site
        for site in usable.sites
        if not site.is_full and standing_by_id[site.region_id] in _TAKING
    ]
    lowest = min((site.priority for site in found), default=0)
    return tuple(site for site in found if site.priority == lowest)
