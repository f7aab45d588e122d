"""The names of the metrics: those that were promised, explained, and kept by Prometheus' rules."""

import contextlib
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from director.client.answering import Answerer
from director.client.errors import ClientError
from director.http.metrics import METRICS
from director.runtime.metrics import Buckets, Kind, Metric, Sheet
from regions.api.vitals import METRICS as AGENT_METRICS
from tests.regions.backends import a_table
from trafficdirector.routing.v1 import routing_pb2 as pb

DOC = Path(__file__).parents[2] / "docs" / "metrics.md"
# Replicas and agents show certificates alike.
ALL = tuple(dict.fromkeys((*METRICS, *AGENT_METRICS)))

# The interface promises these by name and labels; dashboards and alerts of others rely on them.
PROMISED = {
    "director_has_leader": (),
    "director_is_leader": (),
    "director_leader_changes_seen_total": (),
    "director_proposals_committed_total": (),
    "director_proposals_pending": (),
    "director_proposals_failed_total": (),
    "director_commit_duration_seconds": (),
    "director_resolve_requests_total": ("service", "region", "outcome"),
    "director_resolve_duration_seconds": (),
    "director_view_age_seconds": (),
    "director_region_state": ("region", "state"),
    "director_agent_heartbeat_age_seconds": ("region",),
    "director_link_rtt_seconds": ("from", "to"),
    "director_service_active_region": ("service", "region"),
    "director_service_rto_seconds": ("service",),
    "director_service_rpo_seconds": ("service",),
    "director_service_predicted_rto_seconds": ("service",),
    "director_session_replication_lag_seconds": ("service", "from", "to"),
    "director_failover_phase_duration_seconds": ("service", "phase"),
    "director_failover_measured_rto_seconds": ("service",),
    "director_drill_last_success_timestamp_seconds": ("service",),
    "director_automation_paused": ("service",),
}
# What may vary without bound: whoever asks, and whatever names an event rather than a thing.
UNBOUNDED = {"client", "session", "address", "agent", "endpoint", "path", "id", "run", "epoch"}


def test_every_promised_metric_exists_with_its_labels() -> None:
    labels_by_name = {each.name: each.labels for each in METRICS}

    assert {name: labels_by_name.get(name) for name in PROMISED} == PROMISED


def test_the_document_and_the_code_name_the_same_metrics() -> None:
    rows = [each for each in DOC.read_text().splitlines() if each.startswith("| `director_")]
    documented = {
        (name, cells[1].strip(), tuple(re.findall(r"`([a-z]+)`", cells[2])))
        for row in rows
        if (cells := row.strip("|").split("|"))
        for name in re.findall(r"`(director_[a-z_]+)`", cells[0])
    }

    assert documented == {(each.name, each.kind.value, each.labels) for each in ALL}


@pytest.mark.parametrize("metric", ALL, ids=lambda each: each.name)
def test_a_name_keeps_the_rules(metric: Metric) -> None:
    assert re.fullmatch(r"director_[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    # Base units only, and no word that Prometheus adds itself.
    assert not re.search(
        r"_(ms|milliseconds|us|minutes|hours|percent|count|sum|bucket)$", metric.name
    )
    if metric.kind is Kind.HISTOGRAM:
        assert metric.name.endswith("_seconds")
    assert metric.meaning.endswith(".")
    assert len(set(metric.labels)) == len(metric.labels)
    assert not UNBOUNDED.intersection(metric.labels)


def test_no_two_metrics_have_one_name() -> None:
    assert len({each.name for each in ALL}) == len(ALL)


def test_an_empty_sheet_still_names_every_metric() -> None:
    text = Sheet(METRICS).text().decode()

    # HELP and TYPE, and nothing that the parser of Prometheus would refuse.
    assert {family.name for family in text_string_to_metric_families(text)} == {
        each.name.removesuffix("_total") for each in METRICS
    }
    for each in METRICS:
        assert f"# TYPE {each.name} {each.kind.value}\n" in text


def test_buckets_count_each_duration_once_and_cumulate() -> None:
    buckets = Buckets((0.001, 0.01))
    for duration_ns in (500_000, 1_000_000, 1_000_001, 50_000_000):
        buckets.take(duration_ns)

    assert buckets.cumulative() == [("0.001", 2.0), ("0.01", 3.0), ("+Inf", 4.0)]
    assert buckets.count == 4
    assert buckets.sum_s == pytest.approx(0.052500001)


def test_label_values_are_escaped() -> None:
    metric = Metric("director_x", Kind.GAUGE, "A test.", ("service",))
    sheet = Sheet((metric,))
    sheet.put(metric, 1, 'a"b\\c\nd')

    (family,) = text_string_to_metric_families(sheet.text().decode())
    assert family.samples[0].labels == {"service": 'a"b\\c\nd'}


def asked(answerer: Answerer, service_id: str, region_id: str, session_id: str = "") -> None:
    request = pb.ResolveRequest(service_id=service_id, region_id=region_id, session_id=session_id)
    with contextlib.suppress(ClientError):
        answerer.resolve_bytes(request, 0, 1)


def test_names_that_anybody_makes_up_make_no_series() -> None:
    answerer = Answerer()
    answerer.adopt_table(a_table())
    for number in range(1_000):
        asked(answerer, service_id=f"made-up-{number}", region_id="eu-west1")
        asked(answerer, service_id="chat", region_id=f"made-up-{number}")
    asked(answerer, service_id="chat", region_id="eu-west1")
    asked(answerer, service_id="chat", region_id="eu-west1", session_id="s")

    counted = dict(answerer.tallies.counts())
    assert counted == {
        ("", "", "service_not_found"): 1_000,
        ("chat", "", "position_unusable"): 1_000,
        ("chat", "eu-west1", "ok"): 2,
    }


def test_a_batch_counts_each_question() -> None:
    answerer = Answerer()
    answerer.adopt_table(a_table())
    known = pb.ResolveRequest(service_id="chat", region_id="eu-west1")
    unknown = pb.ResolveRequest(service_id="nope", region_id="eu-west1")
    answerer.batch(pb.BatchResolveRequest(requests=[known, known, unknown]), 0, 1)

    assert dict(answerer.tallies.counts()) == {
        ("", "", "service_not_found"): 1,
        ("chat", "eu-west1", "ok"): 2,
    }


def test_counts_go_on_when_routes_change() -> None:
    answerer = Answerer()
    answerer.adopt_table(a_table())
    asked(answerer, service_id="chat", region_id="eu-west1")
    answerer.adopt_table(a_table())
    asked(answerer, service_id="chat", region_id="eu-west1")

    assert dict(answerer.tallies.counts())["chat", "eu-west1", "ok"] == 2
