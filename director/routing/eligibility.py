"""The filter: which sites of a service may be used, and why the others may not.

Nothing here knows where the client is. Residency is a hard limit and comes first; what an operator
says outranks health; health is ignored only when it leaves too little (the panic threshold).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from director.routing.table import (
    AllUnhealthy,
    Override,
    Refusal,
    RefusalReason,
    Region,
    RegionId,
    ServiceRoute,
    Site,
    Verdict,
)


class Standing(StrEnum):
    """What the filter says of one site, most final first."""

    REGION_NOT_FOUND = "REGION_NOT_FOUND"
    RESIDENCY = "RESIDENCY"
    OVERRIDE_DOWN = "OVERRIDE_DOWN"
    NO_ENDPOINTS = "NO_ENDPOINTS"
    REGION_DRAINED = "REGION_DRAINED"
    DRAINED = "DRAINED"
    OVERRIDE_UP = "OVERRIDE_UP"
    WITHHELD = "WITHHELD"
    DOWN = "DOWN"
    USABLE = "USABLE"


# Never answered with, whatever else fails.
BARRED = frozenset(
    {
        Standing.REGION_NOT_FOUND,
        Standing.RESIDENCY,
        Standing.OVERRIDE_DOWN,
        Standing.NO_ENDPOINTS,
    }
)
DRAINED = frozenset({Standing.REGION_DRAINED, Standing.DRAINED})
HEALTHY = frozenset({Standing.OVERRIDE_UP, Standing.WITHHELD, Standing.USABLE})


@dataclass(frozen=True, slots=True)
class SiteStanding:
    """A site with its standing, and a phrase for people where the code is not enough."""

    site: Site
    standing: Standing
    detail: str = ""


class Basis(StrEnum):
    """Why the pool is what it is: how far the filter had to give way."""

    HEALTHY = "HEALTHY"
    ONLY_WEIGHT_ZERO = "ONLY_WEIGHT_ZERO"
    PANIC = "PANIC"
    ONLY_DRAINED = "ONLY_DRAINED"


@dataclass(frozen=True, slots=True)
class Pool:
    """The sites that a client may be sent to, before priority. Never empty (R1)."""

    sites: tuple[Site, ...]
    basis: Basis

    @property
    def fail_open(self) -> bool:
        """Whether health was ignored to have any answer (R4)."""
        return self.basis in (Basis.PANIC, Basis.ONLY_DRAINED)

    @property
    def first_tier(self) -> tuple[Site, ...]:
        """The sites of the lowest priority number: the only ones that serve."""
        lowest = min(site.priority for site in self.sites)
        return tuple(site for site in self.sites if site.priority == lowest)


def standings(
    service: ServiceRoute, region_by_id: Mapping[RegionId, Region], subject_jurisdiction: str
) -> tuple[SiteStanding, ...]:
    """Judge every site of ``service`` for a subject of ``subject_jurisdiction``."""
    return tuple(
        _standing(site, region_by_id.get(site.region_id), service, subject_jurisdiction)
        for site in service.sites
    )


def _standing(
    site: Site, region: Region | None, service: ServiceRoute, subject: str
) -> SiteStanding:
    if region is None:
        return SiteStanding(site, Standing.REGION_NOT_FOUND, "the fleet has no such region")
    forbidden = _residency_fault(service, region, subject)
    if forbidden:
        return SiteStanding(site, Standing.RESIDENCY, forbidden)
    if not site.endpoints:
        return SiteStanding(site, Standing.NO_ENDPOINTS, "service has no endpoint here")
    return _ordered_by_operator(site, region) or health(site)


def _ordered_by_operator(site: Site, region: Region) -> SiteStanding | None:
    """Return what an operator said against the site, or None. It outranks health."""
    if site.override is Override.FORCE_DOWN:
        return SiteStanding(site, Standing.OVERRIDE_DOWN, "forced down by an operator")
    if region.drained:
        return SiteStanding(site, Standing.REGION_DRAINED, "the region is drained")
    if site.drained:
        return SiteStanding(site, Standing.DRAINED, "the service is drained here")
    return None


def health(site: Site) -> SiteStanding:
    """Judge ``site`` by its verdict and what was said of it, drains and residency apart."""
    if site.override is Override.FORCE_UP:
        return SiteStanding(site, Standing.OVERRIDE_UP, "forced up by an operator")
    if site.verdict is not Verdict.DOWN:
        # UNKNOWN is usable: missing evidence is not evidence (C4), and a fleet whose directors
        # are all gone keeps the routes it has (R8).
        return SiteStanding(site, Standing.USABLE)
    if site.withheld:
        return SiteStanding(
            site, Standing.WITHHELD, f"DOWN, kept in service by the safety rule {site.withheld}"
        )
    return SiteStanding(site, Standing.DOWN, "DOWN")


def _residency_fault(service: ServiceRoute, region: Region, subject: str) -> str:
    """Name the first rule that forbids ``region``, or return an empty string."""
    if not subject:
        return ""
    for number, rule in enumerate(service.residency, start=1):
        if rule.subject_jurisdiction != subject:
            continue
        if region.jurisdiction not in rule.allow_jurisdictions:
            allowed = ", ".join(rule.allow_jurisdictions)
            return f"residency rule {number}: {subject} subjects stay in {allowed}"
    return ""


def pool(service: ServiceRoute, judged: Sequence[SiteStanding]) -> Pool | Refusal:
    """Return the sites to choose from, or the refusal that says why there are none."""
    permitted = [each for each in judged if each.standing not in BARRED]
    if not permitted:
        return _nothing_permitted(service, judged)
    present = [each for each in permitted if each.standing not in DRAINED]
    healthy = [each for each in present if each.standing in HEALTHY]
    if service.all_unhealthy is AllUnhealthy.FAIL_CLOSED:
        return _healthy_pool(healthy) if healthy else unhealthy_refusal(service, judged)
    if not present:
        # A drain outranks health, so these come after every site that is merely DOWN.
        good = [each for each in permitted if health(each.site).standing in HEALTHY]
        return Pool(_weighted(good or permitted), Basis.ONLY_DRAINED)
    # Envoy calls it the panic threshold: few healthy sites could not carry everyone, and so many
    # failures at once speak of the observer rather than of the sites.
    if not healthy or len(healthy) * 1000 < service.panic_per_mille * len(present):
        return Pool(_weighted(present), Basis.PANIC)
    return _healthy_pool(healthy)


def _healthy_pool(healthy: Sequence[SiteStanding]) -> Pool:
    sites = _weighted(healthy)
    is_reserve = all(site.weight <= 0 for site in sites)
    return Pool(sites, Basis.ONLY_WEIGHT_ZERO if is_reserve else Basis.HEALTHY)


def _weighted(judged: Iterable[SiteStanding]) -> tuple[Site, ...]:
    """Leave out sites of weight zero, unless there are no others."""
    sites = tuple(each.site for each in judged)
    return tuple(site for site in sites if site.weight > 0) or sites


def _nothing_permitted(service: ServiceRoute, judged: Sequence[SiteStanding]) -> Refusal:
    met = {each.standing for each in judged}
    if met <= {Standing.NO_ENDPOINTS, Standing.REGION_NOT_FOUND}:
        return Refusal(
            service.service_id,
            RefusalReason.NO_SITES,
            f"{service.service_id} has no endpoint in any region",
            (("service", service.service_id),),
        )
    if Standing.RESIDENCY in met and Standing.OVERRIDE_DOWN not in met:
        return residency_refusal(service, judged)
    return unhealthy_refusal(service, judged)


def residency_refusal(service: ServiceRoute, judged: Sequence[SiteStanding]) -> Refusal:
    """Refuse because residency forbids every region that could serve."""
    rule = next(each.detail for each in judged if each.standing is Standing.RESIDENCY)
    return Refusal(
        service.service_id,
        RefusalReason.RESIDENCY,
        f"no region of {service.service_id} may serve this subject: {rule}",
        (("service", service.service_id), *_listed(judged)),
    )


def unhealthy_refusal(service: ServiceRoute, judged: Sequence[SiteStanding]) -> Refusal:
    """Refuse because no permitted region is usable and the service does not fail open."""
    return Refusal(
        service.service_id,
        RefusalReason.ALL_UNHEALTHY,
        f"no region of {service.service_id} is usable",
        (("service", service.service_id), *_listed(judged)),
    )


def _listed(judged: Sequence[SiteStanding]) -> tuple[tuple[str, str], ...]:
    """Say the standing of every region in one metadata entry."""
    return (("regions", ",".join(f"{each.site.region_id}={each.standing}" for each in judged)),)
