"""Runs the pieces of a real agent process inside the test."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio

from regions.app.process import AgentProcess, Ports
from regions.config import AgentConfig, load_config
from tests.regions.backends import a_free_address


def a_config(
    directory: Path,
    backend: str,
    directors: list[str] | None = None,
    *,
    name: str = "agent",
    more: str = "",
    top: str = "",
) -> str:
    """Return the text of a configuration for the service chat."""
    return f"""\
region: eu-west1
id: {name}
directors: {json.dumps(directors or [a_free_address()])}
data_dir: {directory / name}
listen: {{grpc: "127.0.0.1:0", http: "127.0.0.1:0"}}
geo_database: none
{top}
services:
  - name: chat
    probe: {{type: Http, address: "{backend}", path: /healthz}}
    every: 100ms
    timeout: 2s
    rise: 2
    fall: 2
{more}
"""


def loaded(text: str) -> AgentConfig:
    config, faults = load_config(text, "agent.yaml")
    assert config is not None, faults
    return config


@contextlib.asynccontextmanager
async def running(text: str) -> AsyncIterator[Ports]:
    """Run an agent for as long as the block lasts."""
    process = AgentProcess(loaded(text))
    ports = await process.start()
    try:
        yield ports
    finally:
        await process.stop()


async def http_get(port: int, target: str) -> tuple[int, Any]:
    """Ask the agent over HTTP; return the status and the JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def channel(port: int) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(
        f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),)
    )
