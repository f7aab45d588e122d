"""The filter: residency, overrides, drains, health, the panic threshold, and weights of zero."""

import pytest

from director.routing.table import (
    AllUnhealthy,
    Override,
    RefusalReason,
    ResidencyRule,
    Site,
    Verdict,
)
from tests.routing.builders import a_fleet, a_service, a_site, a_table, answered, refused

EU_ONLY = (ResidencyRule("EU", ("EU",)),)
CLOSED = AllUnhealthy.FAIL_CLOSED


def four(**verdicts: Verdict) -> tuple[Site, ...]:
    """Return the four sites, all UP but for those named."""
    names = ("ap-south1", "eu-north1", "eu-west1", "us-east1")
    return tuple(a_site(name, verdicts.get(name.replace("-", "_"), Verdict.UP)) for name in names)


def test_the_nearest_healthy_region_answers_with_its_endpoints_and_labels() -> None:
    answer = answered(a_table(a_service(*four(), generation=2, epoch=7)))
    assert (answer.region_id, answer.reason, answer.fail_open) == ("eu-west1", "NEAREST", False)
    assert answer.endpoints[0].address == "embed.eu-west1.internal:443"
    assert (answer.generation, answer.epoch, answer.revision, answer.ttl_ms) == (2, 7, 42, 15_000)


@pytest.mark.parametrize("verdict", [Verdict.UP, Verdict.DEGRADED, Verdict.UNKNOWN])
def test_anything_but_down_is_usable(verdict: Verdict) -> None:
    assert answered(a_table(a_service(*four(eu_west1=verdict)))).region_id == "eu-west1"


def test_a_region_that_is_down_is_passed_over() -> None:
    answer = answered(a_table(a_service(*four(eu_west1=Verdict.DOWN))))
    assert (answer.region_id, answer.fail_open) == ("eu-north1", False)


def test_a_region_held_in_service_by_a_safety_rule_answers_and_says_so() -> None:
    sites = (a_site("eu-west1", Verdict.DOWN, withheld="min_serving"), a_site("us-east1"))
    answer = answered(a_table(a_service(*sites)))
    assert (answer.region_id, answer.reason, answer.fail_open) == ("eu-west1", "WITHHELD", True)


def test_drains_of_region_and_of_service_outrank_health() -> None:
    by_region = a_table(a_service(*four()), regions=a_fleet(eu_west1={"drained": True}))
    by_service = a_table(a_service(a_site("eu-west1", drained=True), a_site("us-east1")))
    assert answered(by_region).region_id == "eu-north1"
    assert answered(by_service).region_id == "us-east1"


def test_an_operator_outranks_the_verdict_both_ways() -> None:
    up = a_site("eu-west1", Verdict.DOWN, override=Override.FORCE_UP)
    down = a_site("eu-west1", override=Override.FORCE_DOWN)
    others = (a_site("us-east1"), a_site("ap-south1"))
    assert answered(a_table(a_service(up, *others))).region_id == "eu-west1"
    assert answered(a_table(a_service(down, *others))).region_id == "us-east1"


def test_a_drain_outranks_a_site_forced_up() -> None:
    both = a_site("eu-west1", drained=True, override=Override.FORCE_UP)
    assert answered(a_table(a_service(both, a_site("us-east1")))).region_id == "us-east1"


def test_below_the_panic_threshold_health_is_ignored_and_labelled() -> None:
    down = {"eu_west1": Verdict.DOWN, "eu_north1": Verdict.DOWN, "us_east1": Verdict.DOWN}
    answer = answered(a_table(a_service(*four(**down))))
    assert (answer.region_id, answer.reason, answer.fail_open) == ("eu-west1", "PANIC", True)


def test_at_the_panic_threshold_health_still_counts() -> None:
    down = {"eu_west1": Verdict.DOWN, "eu_north1": Verdict.DOWN}
    service = a_service(*four(**down), panic_per_mille=500)
    answer = answered(a_table(service))
    assert (answer.region_id, answer.fail_open) == ("us-east1", False)


def test_drained_regions_do_not_count_against_the_threshold() -> None:
    sites = (
        a_site("eu-west1", Verdict.DOWN),
        a_site("us-east1"),
        a_site("ap-south1", drained=True),
        a_site("eu-north1", drained=True),
    )
    answer = answered(a_table(a_service(*sites)))
    assert (answer.region_id, answer.fail_open) == ("us-east1", False)


def test_all_down_fails_open_to_the_nearest_even_without_a_threshold() -> None:
    sites = [a_site(name, Verdict.DOWN) for name in ("us-east1", "eu-west1")]
    answer = answered(a_table(a_service(*sites, panic_per_mille=0)))
    assert (answer.region_id, answer.fail_open) == ("eu-west1", True)


def test_all_down_is_refused_by_a_service_that_fails_closed() -> None:
    sites = [a_site(name, Verdict.DOWN) for name in ("us-east1", "eu-west1")]
    refusal = refused(a_table(a_service(*sites, all_unhealthy=CLOSED)))
    assert refusal.reason is RefusalReason.ALL_UNHEALTHY
    assert dict(refusal.metadata)["regions"] == "us-east1=DOWN,eu-west1=DOWN"


def test_a_service_that_fails_closed_never_panics_into_a_region_that_is_down() -> None:
    down = {"eu_west1": Verdict.DOWN, "eu_north1": Verdict.DOWN, "us_east1": Verdict.DOWN}
    answer = answered(a_table(a_service(*four(**down), all_unhealthy=CLOSED)))
    assert (answer.region_id, answer.fail_open) == ("ap-south1", False)


def test_a_region_that_is_down_is_better_than_one_that_is_drained() -> None:
    sites = (a_site("eu-west1", drained=True), a_site("us-east1", Verdict.DOWN))
    answer = answered(a_table(a_service(*sites)))
    assert (answer.region_id, answer.reason) == ("us-east1", "PANIC")


def test_when_all_is_drained_the_healthy_drained_regions_serve_labelled() -> None:
    sites = (a_site("eu-west1", Verdict.DOWN, drained=True), a_site("us-east1", drained=True))
    answer = answered(a_table(a_service(*sites)))
    assert (answer.region_id, answer.reason, answer.fail_open) == ("us-east1", "ONLY_DRAINED", True)


def test_panic_never_brings_back_what_an_operator_forced_down() -> None:
    sites = (
        a_site("eu-west1", override=Override.FORCE_DOWN),
        a_site("us-east1", Verdict.DOWN),
    )
    assert answered(a_table(a_service(*sites))).region_id == "us-east1"
    only = a_table(a_service(sites[0]))
    assert refused(only).reason is RefusalReason.ALL_UNHEALTHY


def test_residency_is_a_hard_limit_even_when_all_that_is_left_is_down() -> None:
    service = a_service(*four(eu_west1=Verdict.DOWN, eu_north1=Verdict.DOWN), residency=EU_ONLY)
    answer = answered(a_table(service), subject_jurisdiction="EU")
    assert (answer.region_id, answer.fail_open) == ("eu-west1", True)
    other = answered(a_table(service), subject_jurisdiction="US")
    assert other.region_id == "us-east1"


def test_residency_that_forbids_every_region_is_refused_with_the_rule() -> None:
    service = a_service(a_site("us-east1"), a_site("ap-south1"), residency=EU_ONLY)
    refusal = refused(a_table(service), subject_jurisdiction="EU")
    assert refusal.reason is RefusalReason.RESIDENCY
    assert "residency rule 1: EU subjects stay in EU" in refusal.message


def test_every_matching_residency_rule_must_allow_the_region() -> None:
    rules = (ResidencyRule("EU", ("EU", "US")), ResidencyRule("EU", ("US", "SG")))
    service = a_service(*four(), residency=rules)
    assert answered(a_table(service), subject_jurisdiction="EU").region_id == "us-east1"


def test_a_service_without_endpoints_is_refused_as_such() -> None:
    assert refused(a_table(a_service())).reason is RefusalReason.NO_SITES
    empty = a_service(a_site("eu-west1", endpoints=()))
    assert refused(a_table(empty)).reason is RefusalReason.NO_SITES


def test_a_site_in_a_region_the_fleet_does_not_have_is_never_answered_with() -> None:
    service = a_service(a_site("atlantis"), a_site("us-east1"))
    assert answered(a_table(service)).region_id == "us-east1"


def test_an_unknown_service_is_refused_by_name() -> None:
    assert refused(a_table()).reason is RefusalReason.SERVICE_NOT_FOUND


def test_priority_comes_before_distance_and_a_higher_number_waits() -> None:
    sites = (a_site("eu-west1", priority=1), a_site("us-east1"), a_site("ap-south1"))
    assert answered(a_table(a_service(*sites))).region_id == "us-east1"
    gone = (
        a_site("eu-west1", priority=1),
        a_site("eu-north1", priority=1),
        a_site("us-east1", Verdict.DOWN),
    )
    assert answered(a_table(a_service(*gone))).region_id == "eu-west1"


def test_weight_zero_serves_only_when_nothing_else_does() -> None:
    spare = a_site("eu-west1", weight=0)
    assert answered(a_table(a_service(spare, a_site("us-east1")))).region_id == "us-east1"
    lost = a_service(spare, a_site("us-east1", Verdict.DOWN))
    assert answered(a_table(lost)).region_id == "eu-west1"
