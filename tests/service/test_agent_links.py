"""How many agents a replica takes in, in all and of one region."""

import pytest

from director.core.ids import AgentId
from director.core.observation_log import AGENTS_PER_REGION_MAX
from director.routing.table import RegionId
from director.service.agents import AgentLink, AgentLinks
from director.service.errors import OverloadedError

EU, US = RegionId("eu-west1"), RegionId("us-east1")


def a_link(number: int, region_id: RegionId = EU) -> AgentLink:
    return AgentLink(region_id, AgentId(f"pod-{number}"), "boot", frozenset())


def test_one_region_cannot_take_the_places_of_all() -> None:
    links = AgentLinks()
    taken = [a_link(number) for number in range(AGENTS_PER_REGION_MAX)]
    for link in taken:
        links.connect(link)

    with pytest.raises(OverloadedError) as raised:
        links.connect(a_link(AGENTS_PER_REGION_MAX))

    assert raised.value.metadata == {
        "regionId": "eu-west1",
        "agentCountMax": str(AGENTS_PER_REGION_MAX),
    }
    links.connect(a_link(0, US))
    links.connect(a_link(0))  # the same agent again takes no further place
    assert taken[0].is_closed
    links.disconnect(taken[0])  # and its older stream gives none free
    with pytest.raises(OverloadedError):
        links.connect(a_link(AGENTS_PER_REGION_MAX))
    links.disconnect(taken[1])
    links.connect(a_link(AGENTS_PER_REGION_MAX))
    assert len(links) == AGENTS_PER_REGION_MAX + 1
