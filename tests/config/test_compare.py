"""Two sets of documents are compared in meaning: what they say, not how they are written."""

import random

import pytest

from director.config.compare import VALUE_CHARS_MAX, document_changes, documents_in
from tests.config.sample import CHAT, DRILL, EMBED, FLEET, POLICY

WHOLE = "---\n".join((FLEET, CHAT, EMBED, POLICY, DRILL))


def changes(before: str, after: str) -> list[str]:
    """Return one line for each document that differs and for each value in it."""
    found = document_changes(documents_in(before), documents_in(after))
    return [
        line
        for each in found
        for line in (f"{each.how} {each.kind} {each.name}", *map(str, each.fields))
    ]


def after(old: str, new: str) -> list[str]:
    assert WHOLE.count(old) == 1, old
    return changes(WHOLE, WHOLE.replace(old, new))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_documents_regions_and_links_is_no_difference(seed: int) -> None:
    draw = random.Random(seed)
    parts = WHOLE.split("---\n")
    lines = FLEET.splitlines(keepends=True)
    at = [n for n, line in enumerate(lines) if "location:" in line]
    regions = [lines[n] for n in at]
    draw.shuffle(regions)
    for n, line in zip(at, regions, strict=True):
        lines[n] = line
    parts[0] = "".join(lines)
    draw.shuffle(parts)

    assert changes(WHOLE, "---\n".join(parts)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    ttl: 15s\n", ""),  # the default
        ("    ttl: 15s\n", "    ttl: 15000ms # the same\n"),
        ('panicBelow: "40%"', 'panicBelow: "40.0%"'),
        ("rtt: 88.5ms", "rtt: 88500us"),
        ("    minInterval: 15m\n", "    minInterval: 900s\n"),
        ("  hold: 0s\n", ""),
    ],
)
def test_another_way_to_write_the_same_is_no_difference(old: str, new: str) -> None:
    assert after(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    ttl: 15s\n", "    ttl: 1m\n", "~ spec.routing.ttl: 15s -> 1m"),
        ("  policyRef: tier0\n", "", "- spec.policyRef: tier0"),
        (
            "      priority: 1\n",
            "      priority: 7\n",
            "~ spec.regions[eu-north1].priority: 1 -> 7",
        ),
        ("weight: 2}]", "weight: 3}]",
         "~ spec.regions[us-east1].endpoints[[fd00::1]:443].weight: 2 -> 3"),
        ("rtt: 88.5ms", "rtt: 90ms", "~ spec.links[eu-west1-us-east1].rtt: 88.5ms -> 90ms"),
        ("lat: 33.2", "lat: 33.3", "~ spec.regions[us-east1].location.lat: 33.2 -> 33.3"),
        ('labels: {tier: "0"}', 'labels: {tier: "1"}', '~ metadata.labels.tier: 0 -> 1'),
        ("allow: {jurisdiction: [EU]}", "allow: {jurisdiction: [EU, US]}",
         '~ spec.residency[EU].allow.jurisdiction: ["EU"] -> ["EU", "US"]'),
        ("    stickiness: {key: session, hash: Rendezvous}\n", "",
         '- spec.routing.stickiness: {"key": "session", "hash": "Rendezvous"}'),
        ("skipWhen: [{failoverInProgress: true}]", "skipWhen: [{failoverInProgress: false}]",
         "~ spec.skipWhen[0].failoverInProgress: true -> false"),
    ],
)  # fmt: skip
def test_a_value_that_differs_is_named_with_its_place(old: str, new: str, told: str) -> None:
    _, line = after(old, new)

    assert line == told


def test_documents_are_added_and_removed_by_kind_and_name() -> None:
    assert changes(WHOLE, WHOLE.replace("metadata: {name: embed}", "metadata: {name: rank}")) == [
        "removed Service embed",
        "added Service rank",
    ]
    assert len(changes("", WHOLE)) == 5
    assert changes("", "") == []


def test_a_long_value_is_cut() -> None:
    many = ", ".join(f'{{address: "10.0.0.{at}:1"}}' for at in range(40))

    _, line = after('endpoints: [{address: "10.0.0.1:443"}]', f"endpoints: [{many}]")[:2]

    assert line.startswith("- spec.regions[eu-west1].endpoints[10.0.0.1:443]: {")
    region = f"    - name: us-west1\n      endpoints: [{many}]\n    - name: us-east1\n"
    _, line = after("    - name: us-east1\n", region)
    assert line.startswith("+ spec.regions[us-west1]: {")
    assert line.endswith("...")
    assert len(line) < VALUE_CHARS_MAX + 60


def test_a_text_whose_documents_are_refused_counts_for_those_that_are_not() -> None:
    # What is in force has passed once; a later release may refuse a part of it.
    assert changes(WHOLE.replace("    ttl: 15s", "    tll: 15s"), WHOLE) == ["added Service chat"]
