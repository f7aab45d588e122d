"""One replica in a process of its own, for tests that kill it. Speaks JSON lines.

On standard input: the configuration, then commands. On standard output: one answer per command.
"""

import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in (ROOT, ROOT / "protos"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from director.consensus.embedded.config import EmbeddedConfig  # noqa: E402
from director.consensus.embedded.engine import EmbeddedConsensus  # noqa: E402
from director.consensus.port import (  # noqa: E402
    CommittedEntry,
    ConsensusError,
    NotLeaderError,
    SnapshotDelivered,
)
from director.runtime.logs import configure  # noqa: E402


class Worker:
    """Keeps the payloads it was delivered; its snapshots hold them all."""

    def __init__(self, settings: dict[str, object]) -> None:
        peers = settings["peers"]
        assert isinstance(peers, dict)
        timing = settings.get("timing") or {}
        assert isinstance(timing, dict)
        member_id = str(settings["id"])
        self.consensus = EmbeddedConsensus(
            EmbeddedConfig(
                member_id,
                "kill-fleet",
                Path(str(settings["dir"])) / member_id,
                peers[member_id],
                peers,
                snapshot_margin_count=50,
                segment_bytes=1 << 16,
                **timing,
            )
        )
        self.applied: list[str] = []
        self.index = 0
        self.news = asyncio.Event()
        self.snapshot_every = 200

    async def consume(self) -> None:
        saved_index = 0
        async for delivery in self.consensus.deliveries():
            match delivery:
                case CommittedEntry(index=index, payload=payload):
                    assert index == self.index + 1, "a gap"
                    self.index = index
                    if payload:
                        self.applied.append(payload.decode())
                case SnapshotDelivered(index=index, payload=payload):
                    assert index > self.index, "a snapshot of the past"
                    self.index = saved_index = index
                    self.applied = json.loads(payload)
                case _:
                    continue
            self.news.set()
            if self.index - saved_index >= self.snapshot_every:
                saved_index = self.index
                await self.consensus.save_snapshot(self.index, json.dumps(self.applied).encode())

    async def answer(self, command: dict[str, str]) -> object:
        standing = self.consensus.standing()
        match command["do"]:
            case "standing":
                return {
                    "is_leader": standing.is_leader,
                    "term": standing.term,
                    "leader_id": standing.leader_id,
                    "failed": standing.failed,
                }
            case "propose":
                try:
                    await self.consensus.propose(command["value"].encode(), term=standing.term)
                except NotLeaderError:
                    return "refused"
                except ConsensusError:
                    return "unknown"
                return "committed"
            case "applied":
                try:
                    index = await self.consensus.read_barrier()
                except ConsensusError:
                    return None
                async with asyncio.timeout(10):
                    while self.index < index:
                        self.news.clear()
                        await self.news.wait()
                return self.applied
            case other:
                raise AssertionError(other)


async def main() -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(json.loads(await loop.run_in_executor(None, sys.stdin.readline)))
    await worker.consensus.start()
    consumer = asyncio.create_task(worker.consume())
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        sys.stdout.write(json.dumps(await worker.answer(json.loads(line))) + "\n")
        sys.stdout.flush()
    await worker.consensus.stop()
    await consumer


if __name__ == "__main__":
    configure(json=False, level="error")
    asyncio.run(main())
