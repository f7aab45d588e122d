"""Webhooks in the Fleet document: where they may point to, and how they become topology."""

import pytest

from director.config.export import export_topology
from director.config.load import load_topology
from director.core.topology import WebhookSpec
from tests.shells.fleet import MANIFEST


def with_webhooks(*webhooks: str) -> str:
    listed = ", ".join(webhooks)
    return MANIFEST.replace("spec:\n  regions:", f"spec:\n  webhooks: [{listed}]\n  regions:", 1)


def a_webhook(url: str = "https://ops.example/hook", **fields: str) -> str:
    values = {"name": "ops", "url": f'"{url}"', "secretEnv": "OPS_SECRET", **fields}
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def codes(*webhooks: str) -> list[str]:
    return [each.code for each in load_topology([("fleet.yaml", with_webhooks(*webhooks))]).errors]


@pytest.mark.parametrize(
    "url",
    [
        "https://ops.example",
        "https://ops.example:8443/a/b?team=x",
        "https://[fd00::1]/hook",
        "http://127.0.0.1:9000/hook",
        "http://[::1]:9000/hook",
        "http://localhost/hook",
    ],
)
def test_https_or_loopback_is_allowed(url: str) -> None:
    assert codes(a_webhook(url)) == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://ops.example/hook", "D126"),
        ("http://10.0.0.7/hook", "D126"),
        ("http://127.0.0.1.ops.example/hook", "D126"),
        ("ftp://ops.example/hook", "D126"),
        ("https:///hook", "D006"),
        ("ops.example/hook", "D006"),
        ("https://ops.example:0/hook", "D006"),
        ("https://ops.example:99999/hook", "D006"),
        ("https://alice:secret@ops.example/hook", "D006"),
        ("https://ops.example/hook#part", "D006"),
        ("https://ops.example/a b", "D006"),
        ("https://ops.example/\u00e4", "D006"),
        ("https://ops.example/" + "x" * 500, "D006"),
    ],
)
def test_anything_else_is_a_fault(url: str, code: str) -> None:
    assert codes(a_webhook(url)) == [code]


def test_a_password_in_a_url_is_not_repeated_in_the_fault() -> None:
    text = with_webhooks(a_webhook("https://alice:hunter2@ops.example/hook"))

    (fault,) = load_topology([("fleet.yaml", text)]).errors

    assert "hunter2" not in str(fault)
    assert "secretEnv" in fault.hint


@pytest.mark.parametrize("name", ["ops_secret", "1OPS", "OPS-SECRET", '""', "whsec_c2VjcmV0"])
def test_a_secret_is_named_and_never_written(name: str) -> None:
    assert codes(a_webhook(secretEnv=name)) == ["D006"]


def test_two_of_one_name_are_a_fault_and_so_is_a_ninth() -> None:
    assert codes(a_webhook(), a_webhook()) == ["D105"]
    assert codes(*(a_webhook(name=f"ops{number}") for number in range(9))) == ["D006"]


def test_an_action_that_does_not_exist_is_a_fault_with_the_one_that_was_meant() -> None:
    text = with_webhooks(a_webhook(events="[start_run, start_runn]"))

    (fault,) = load_topology([("fleet.yaml", text)]).errors

    assert (fault.code, fault.path) == ("D127", "spec.webhooks[0].events[1]")
    assert "start_run" in fault.hint


def test_webhooks_become_topology_sorted_and_come_back_out_of_an_export() -> None:
    text = with_webhooks(
        a_webhook(name="pager", events="[start_run, abort_run]"), a_webhook(name="audit")
    )

    topology = load_topology([("fleet.yaml", text)]).topology

    assert topology is not None
    assert topology.webhooks == (
        WebhookSpec("audit", "https://ops.example/hook", "OPS_SECRET"),
        WebhookSpec("pager", "https://ops.example/hook", "OPS_SECRET", ("abort_run", "start_run")),
    )
    assert load_topology([("exported.yaml", export_topology(topology))]).topology == topology
