"""The layout of the sample fleet: ports never collide, and the documents are valid."""

import socket

import pytest

from director.config.load import load_topology
from director.dev.documents import agent_config, sample_documents
from director.dev.plan import FleetPlan, free_port_base, plan_fleet
from regions.config import load_config


def _addresses(plan: FleetPlan) -> list[str]:
    addresses = [address for each in plan.replicas for address in (each.api, each.peer)]
    for region in plan.regions:
        addresses += [region.agent_grpc, region.agent_http, region.chat]
        addresses += [region.embed] if region.embed else []
    return addresses


def test_every_listener_of_a_fleet_has_a_loopback_port_of_its_own_within_sixty() -> None:
    addresses = _addresses(plan_fleet(7440))

    ports = [int(each.removeprefix("127.0.0.1:")) for each in addresses]
    assert len(set(ports)) == len(ports)
    assert min(ports) >= 7440
    assert max(ports) < 7500


def test_three_regions_hold_a_replica_each_in_a_failure_domain_of_its_own() -> None:
    plan = plan_fleet(7440)

    assert len({each.region_id for each in plan.replicas}) == 3
    assert len({each.failure_domain for each in plan.replicas}) == 3
    assert {each.region_id for each in plan.replicas} < {each.region_id for each in plan.regions}


def test_a_block_with_a_port_in_use_is_passed_over() -> None:
    base = free_port_base(28_000)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 42))
        taken.listen()

        assert free_port_base(base) > base


def test_there_is_an_error_when_no_block_is_free() -> None:
    with pytest.raises(OSError, match="no 60 free ports"):
        free_port_base(31_990)


def test_the_sample_documents_are_valid_without_a_warning_about_anything_but_sessions() -> None:
    loaded = load_topology([("dev", sample_documents(plan_fleet(7440)))])

    assert loaded.topology is not None, [str(each) for each in loaded.faults]
    assert [str(each) for each in loaded.faults] == []
    assert {str(each.service_id) for each in loaded.topology.services} == {"chat", "embed"}


@pytest.mark.parametrize("region_id", ["eu-west1", "eu-north1", "us-east1", "ap-south1"])
def test_the_configuration_of_each_agent_is_valid(region_id: str) -> None:
    plan = plan_fleet(7440)

    config, faults = load_config(agent_config(plan, region_id, "/var/lib/sample"), "agent.yaml")

    assert faults == ()
    assert config is not None
    assert config.region == region_id
    guarded = {each.name for each in config.services}
    assert ("chat" in guarded) == (region_id != "ap-south1")
    assert ("embed" in guarded) == (region_id != "eu-north1")
