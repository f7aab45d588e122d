"""Relations between documents and values that a schema cannot state, each with its own code.

Everything is checked, so that one run names every fault. A document that its schema refused is
known here by its name only: references to it are not called wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.config.declared import Declared, Surroundings
from director.config.faults import Fault, Path, suggestion
from director.config.lint_drill import lint_drill
from director.config.lint_policy import lint_policy
from director.config.lint_service import lint_service, policy_reference
from director.config.lint_webhooks import lint_webhooks
from director.config.model import DrillSchedule, FailoverPolicy, Fleet, Service

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from director.core.timing import Timing

REGIONS_MAX = 100
SERVICES_MAX = 2_000
# A majority of replicas must survive the loss of any one domain.
DOMAINS_MIN = 3


def lint(
    declared: Sequence[Declared], *, timing: Timing, replica_domains: Collection[str] | None
) -> Iterator[Fault]:
    """Yield what is wrong between the documents, or within one beyond its schema."""
    yield from _names(declared)
    yield from _fleets(declared)
    yield from _service_count(declared)
    around = _surroundings(declared, timing)
    services = {
        each.name: each.model if isinstance(each.model, Service) else None
        for each in declared
        if each.kind == "Service"
    }
    for each in declared:
        match each.model:
            case Fleet():
                yield from _fleet(each, each.model)
                yield from _domains(each, each.model, replica_domains)
                yield from lint_webhooks(each, each.model)
            case Service():
                yield from lint_service(each, each.model, around)
            case FailoverPolicy():
                yield from lint_policy(each, each.model)
            case None if each.kind == "Service":
                yield from _references(each, around)
            case DrillSchedule():
                yield from lint_drill(each, each.model, services, around)
            case _:
                pass


def _surroundings(declared: Sequence[Declared], timing: Timing) -> Surroundings:
    fleet = next((each.model for each in declared if isinstance(each.model, Fleet)), None)
    rtt_us_by_pair: dict[tuple[str, str], int] = {}
    for link in fleet.spec.links if fleet is not None else ():
        one, other = link.between
        rtt_us_by_pair[one, other] = rtt_us_by_pair[other, one] = link.rtt
    return Surroundings(
        timing=timing,
        regions={each.name: each for each in fleet.spec.regions} if fleet is not None else None,
        policies={
            each.name: each.model if isinstance(each.model, FailoverPolicy) else None
            for each in declared
            if each.kind == "FailoverPolicy"
        },
        rtt_us_by_pair=rtt_us_by_pair,
    )


def _names(declared: Sequence[Declared]) -> Iterator[Fault]:
    first_by_name: dict[tuple[str, str], Declared] = {}
    for each in declared:
        # Two fleets are told as such, whatever they are called.
        if each.kind == "Fleet" or not each.name:
            continue
        first = first_by_name.setdefault((each.kind, each.name), each)
        if first is not each:
            line = first.text.line_at(("metadata", "name"))
            message = f"a {each.kind} named {each.name!r} is at {first.text.source}:{line} already"
            yield each.fault(("metadata", "name"), message, "D105", "rename or remove one")


def _fleets(declared: Sequence[Declared]) -> Iterator[Fault]:
    fleets = [each for each in declared if each.kind == "Fleet"]
    if not fleets and declared:
        source = declared[0].text.source
        hint = "give the file that declares the regions too; documents are applied as a whole"
        yield Fault(source, 0, "", "there is no Fleet document", "D116", hint)
    for each in fleets[1:]:
        first = f"{fleets[0].text.source}:{fleets[0].text.line}"
        message = f"a second Fleet; the first is at {first}"
        yield each.fault(("kind",), message, "D105", "keep one, with all regions in it")


def _service_count(declared: Sequence[Declared]) -> Iterator[Fault]:
    services = [each for each in declared if each.kind == "Service"]
    if len(services) > SERVICES_MAX:
        message = f"there are {len(services)} services; at most {SERVICES_MAX} are supported"
        yield services[SERVICES_MAX].fault((), message, "D114", "split the fleet")


def _fleet(here: Declared, fleet: Fleet) -> Iterator[Fault]:
    regions = fleet.spec.regions
    if not regions:
        yield here.fault(("spec", "regions"), "no regions", "D107", "list at least one")
    if len(regions) > REGIONS_MAX:
        message = f"{len(regions)} regions; at most {REGIONS_MAX} are supported"
        yield here.fault(("spec", "regions"), message, "D114", "split the fleet")
    seen_names: set[str] = set()
    for at, region in enumerate(regions):
        if region.name in seen_names:
            message = f"region {region.name!r} is listed twice"
            yield here.fault(("spec", "regions", at, "name"), message, "D105", "rename one")
        seen_names.add(region.name)
    seen_pairs: set[tuple[str, ...]] = set()
    for at, link in enumerate(fleet.spec.links):
        path: Path = ("spec", "links", at, "between")
        pair = tuple(sorted(link.between))
        if pair[0] == pair[1]:
            yield here.fault(path, f"{pair[0]!r} twice: a link joins two regions", "D105")
        elif pair in seen_pairs:
            message = f"the link between {pair[0]} and {pair[1]} is listed twice"
            yield here.fault(path, message, "D105", "keep one; links have no direction")
        seen_pairs.add(pair)
        for end, name in enumerate(link.between):
            if name not in seen_names:
                hint = suggestion(name, seen_names)
                yield here.fault((*path, end), f"unknown region {name!r}", "D101", hint)


def _domains(
    here: Declared, fleet: Fleet, replica_domains: Collection[str] | None
) -> Iterator[Fault]:
    if replica_domains is None:
        domains, whose = {each.failure_domain for each in fleet.spec.regions}, "the regions are"
    else:
        domains, whose = set(replica_domains), "the director replicas are"
    if len(domains) < DOMAINS_MIN:
        counts = f"{len(domains)} failure domain{'' if len(domains) == 1 else 's'}"
        message = (
            f"{whose} in {counts} ({', '.join(sorted(domains))}); below {DOMAINS_MIN}, "
            "automation degrades to Approve and no failover starts by itself"
        )
        hint = "place director replicas in three failure domains"
        yield here.warning(("spec", "regions"), message, "D111", hint)


def _references(here: Declared, around: Surroundings) -> Iterator[Fault]:
    """Check the names in a service that its schema refused, so that one run tells them too."""
    value = here.text.value
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict):
        return
    regions = spec.get("regions")
    for at, region in enumerate(regions if isinstance(regions, list) else ()):
        name = region.get("name") if isinstance(region, dict) else None
        if isinstance(name, str):
            yield from _known(here, ("spec", "regions", at, "name"), name, around)
    policy = spec.get("policyRef")
    if isinstance(policy, str):
        yield from policy_reference(here, policy, around)


def _known(here: Declared, path: Path, name: str | None, around: Surroundings) -> Iterator[Fault]:
    if name is not None and around.regions is not None and name not in around.regions:
        hint = suggestion(name, around.regions)
        yield here.fault(path, f"unknown region {name!r}", "D101", hint)
