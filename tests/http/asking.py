"""Asks the HTTP port of a replica, or pages without one."""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from director.client.watch import Source
from director.consensus.port import Standing
from director.core.state import State
from director.http.pages import Pages
from director.runtime.http_server import HttpAnswer


def a_standing(**fields: Any) -> Standing:
    """Return the standing of a follower that knows its leader, unless told otherwise."""
    values: dict[str, Any] = {
        "member_id": "d0",
        "term": 3,
        "leader_id": "d1",
        "is_leader": False,
        "commit_index": 9,
        "applied_index": 9,
        "quorum_contact_at_ms": 0,
        "contact_index": 9,
    }
    return Standing(**{**values, **fields})


@dataclass
class AView:
    """A replica as the pages see it."""

    state: State = field(default_factory=State)
    failed: str = ""
    has_table: bool = True
    is_led_by: str | None = "d1"
    age_ms: int = 40
    source: Source = Source.FRESH

    def standing(self) -> Standing:
        return a_standing(leader_id=self.is_led_by)

    def label(self) -> tuple[int, Source]:
        return self.age_ms, self.source


def pages(view: AView) -> Pages:
    """Return the pages over ``view``, without metrics."""

    async def nothing() -> bytes:
        return b""

    return Pages(view, nothing)


def read(answer: HttpAnswer | Awaitable[HttpAnswer]) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of an answer that is given at once."""
    assert isinstance(answer, HttpAnswer)
    found: dict[str, Any] = json.loads(answer.content)
    return answer.status.value, found


async def get(address: str, target: str) -> tuple[int, str, bytes]:
    """Ask a port; return status, content type and content."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    types = [each.partition(": ")[2] for each in lines if each.startswith("Content-Type")]
    return int(lines[0].split(" ")[1]), types[0], content
