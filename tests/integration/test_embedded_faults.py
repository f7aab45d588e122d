"""The embedded engine when disks, directories, peers and the application misbehave.

Replicas run in this process on real sockets and files; only the failing disk is put under them.
"""

import asyncio
import contextlib
import errno
import shutil
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from director.client.watch import Source
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.engine import EmbeddedConsensus
from director.consensus.port import (
    CommittedEntry,
    ConsensusError,
    EngineFailedError,
    MembershipRefusedError,
    NotLeaderError,
    OutcomeUnknownError,
)
from director.runtime.files import FileSystem, OpenFile, OsFiles
from director.service.reads import ViewAge
from tests.contract.groups import (
    EmbeddedHarness,
    eventually,
    last_index,
    leader_of,
    payloads,
    propose,
)

pytestmark = [pytest.mark.slow, pytest.mark.integration]


class TroubledFile:
    """A real file whose writes and syncs can be made to fail, or to hang."""

    def __init__(self, file: OpenFile, files: "TroubledFiles") -> None:
        self._file = file
        self._files = files

    def read_at(self, offset: int, length: int) -> bytes:
        self._files.check_read()
        return self._file.read_at(offset, length)

    def write_at(self, offset: int, content: bytes) -> None:
        self._files.check_write()
        self._file.write_at(offset, content)

    def size(self) -> int:
        return self._file.size()

    def truncate(self, length: int) -> None:
        self._file.truncate(length)

    def preallocate(self, length: int) -> None:
        self._files.check_write()
        self._file.preallocate(length)

    def zero(self, offset: int, length: int) -> None:
        self._files.check_write()
        self._file.zero(offset, length)

    def datasync(self) -> None:
        self._files.check_sync()
        self._file.datasync()

    def close(self) -> None:
        self._file.close()


class TroubledFiles(OsFiles):
    """The operating system's files, until ``trouble`` is set."""

    def __init__(self) -> None:
        self.write_errno = 0
        self.sync_errno = 0
        self.reads_to_fail = 0
        self.released = threading.Event()
        self.released.set()

    def check_read(self) -> None:
        if self.reads_to_fail:
            self.reads_to_fail -= 1
            raise OSError(errno.EIO, "input/output error")

    def check_write(self) -> None:
        if self.write_errno:
            raise OSError(self.write_errno, "no space left on device")

    def check_sync(self) -> None:
        self.released.wait(30)
        if self.sync_errno:
            raise OSError(self.sync_errno, "input/output error")

    def open(self, path: Path, *, create: bool = False) -> TroubledFile:  # type: ignore[override]
        return TroubledFile(super().open(path, create=create), self)


def told(
    story: Callable[[EmbeddedHarness], Awaitable[None]],
    *,
    count: int = 3,
    files: Mapping[str, FileSystem] | None = None,
    delivery_bytes_max: int = 1 << 20,
    margin_count: int = 10_000,
    kind: type[EmbeddedHarness] = EmbeddedHarness,
) -> None:
    """Run a story with a group that is stopped afterwards whatever happens."""

    async def run(directory: Path) -> None:
        harness = kind(
            directory,
            count,
            files=files,
            delivery_bytes_max=delivery_bytes_max,
            margin_count=margin_count,
        )
        try:
            await harness.start()
            await story(harness)
        finally:
            await harness.stop()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        asyncio.run(run(Path(directory)))


@pytest.fixture
def troubled() -> dict[str, TroubledFiles]:
    return {f"d{number}": TroubledFiles() for number in range(3)}


def test_a_leader_whose_sync_fails_stops_for_good_and_another_takes_over(
    troubled: dict[str, TroubledFiles],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        old_leader = await leader_of(group)
        await propose(group, b"before")
        consensus = group.consensus(old_leader)
        term = consensus.standing().term

        troubled[old_leader].sync_errno = errno.EIO
        # Its followers may have committed it all the same: the leader cannot know any more.
        with pytest.raises((OutcomeUnknownError, EngineFailedError)):
            await consensus.propose(b"during", term=term)

        assert "sync failed" in consensus.standing().failed
        assert not consensus.standing().is_leader
        with pytest.raises(EngineFailedError):
            await consensus.propose(b"after", term=term)
        rest = tuple(member_id for member_id in group.ids if member_id != old_leader)
        index = await propose(group, b"with the new leader", among=rest)
        await eventually(lambda: last_index(group, rest[0]) >= index, "delivery elsewhere")
        assert payloads(group, rest[0])[0] == b"before"

    told(story, files=troubled)


def test_a_replica_on_a_full_disk_stops_says_why_and_comes_back(
    troubled: dict[str, TroubledFiles],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        full = next(member_id for member_id in group.ids if member_id != leader_id)
        troubled[full].write_errno = errno.ENOSPC
        await propose(group, b"the others have room", among=(leader_id,))
        await eventually(lambda: bool(group.consensus(full).standing().failed), "stopping")
        assert "no space left on device" in group.consensus(full).standing().failed

        await group.halt(full)
        troubled[full].write_errno = 0
        await group.restart(full)

        index = await propose(group, b"it is back")
        await eventually(lambda: last_index(group, full) >= index, "catching up")

    told(story, files=troubled)


def test_a_leader_whose_sync_hangs_loses_its_office_within_an_election_timeout(
    troubled: dict[str, TroubledFiles],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        old_leader = await leader_of(group)
        hung = group.consensus(old_leader)
        term = hung.standing().term
        rest = tuple(member_id for member_id in group.ids if member_id != old_leader)
        troubled[old_leader].released.clear()
        waiting = asyncio.ensure_future(hung.propose(b"hangs", term=term))

        await propose(group, b"elsewhere", among=rest)
        await eventually(lambda: not hung.standing().is_leader, "giving up the office")

        with pytest.raises(OutcomeUnknownError):
            await waiting
        troubled[old_leader].released.set()
        index = await propose(group, b"it is back", among=rest)
        await eventually(lambda: last_index(group, old_leader) >= index, "catching up")

    told(story, files=troubled)


def test_a_wiped_replica_is_refused_as_a_voter_and_returns_as_a_learner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        wiped, witness = (member_id for member_id in group.ids if member_id != leader_id)
        index = await propose(group, b"acknowledged")
        await eventually(
            lambda: all(last_index(group, member_id) >= index for member_id in group.ids),
            "delivery",
        )
        await group.halt(wiped)
        shutil.rmtree(group.directory / wiped)

        await group.restart(wiped)
        # With the witness gone, only the wiped one could make a majority with the leader.
        group.isolate(witness)
        await eventually(
            lambda: not group.consensus(leader_id).standing().is_leader, "losing the quorum"
        )
        assert not group.consensus(wiped).standing().is_leader
        group.heal()
        leader_id = await leader_of(group, among=(leader_id, witness))
        leader = group.consensus(leader_id)
        await eventually(
            lambda: sum(m.is_active for m in leader.members()) == 2, "hearing the witness only"
        )
        assert "came back with an empty directory" in capsys.readouterr().out

        await leader.remove(wiped)
        await leader.add_learner(wiped, f"127.0.0.1:{group.port_by_id[wiped]}")

        await eventually(lambda: payloads(group, wiped) == [b"acknowledged"], "the log coming back")
        index = await propose(group, b"again", among=(leader_id,))
        await eventually(lambda: last_index(group, wiped) >= index, "catching up")
        await leader.promote(wiped)
        await propose(group, b"three again", among=(leader_id,))

    told(story)


def test_a_replica_of_another_fleet_is_refused() -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        foreign = next(member_id for member_id in group.ids if member_id != leader_id)
        await group.halt(foreign)
        shutil.rmtree(group.directory / foreign)
        stranger = EmbeddedConsensus(group.config(foreign, fleet_id="another-fleet"))
        await stranger.start()

        await propose(group, b"not for strangers", among=(leader_id,))
        leader = group.consensus(leader_id)
        await eventually(
            lambda: not {m.member_id: m.is_active for m in leader.members()}[foreign],
            "the stranger staying silent",
        )

        assert stranger.standing().commit_index == 0
        await stranger.stop()

    told(story)


def test_a_damaged_log_is_refused_at_start_with_file_and_offset() -> None:
    async def story(group: EmbeddedHarness) -> None:
        index = await propose(group, b"x" * 500)
        damaged = next(iter(group.ids))
        await eventually(lambda: last_index(group, damaged) >= index, "delivery")
        await group.halt(damaged)
        segment = min((group.directory / damaged / "log").glob("*"), key=lambda path: path.name)
        content = bytearray(segment.read_bytes())
        content[content.index(b"x" * 100)] ^= 1
        segment.write_bytes(bytes(content))

        with pytest.raises(EngineFailedError, match=r"is damaged at byte \d+"):
            await EmbeddedConsensus(group.config(damaged)).start()

    told(story)


def test_a_directory_in_use_is_refused_at_start() -> None:
    async def story(group: EmbeddedHarness) -> None:
        with pytest.raises(EngineFailedError, match="in use by process"):
            await EmbeddedConsensus(group.config("d0")).start()

    told(story, count=1)


def test_a_peer_port_that_others_can_reach_is_refused() -> None:
    async def story(group: EmbeddedHarness) -> None:
        config = group.config("d0")
        await group.halt("d0")
        open_to_all = {"d0": "0.0.0.0:7441"}
        fields = {name: getattr(config, name) for name in config.__slots__}

        with pytest.raises(EngineFailedError, match="not loopback"):
            await EmbeddedConsensus(
                type(config)(**{**fields, "listen": open_to_all["d0"], "peers": open_to_all})
            ).start()

    told(story, count=1)


def test_an_application_that_stalls_does_not_cost_the_leader_its_office() -> None:
    async def story(group: EmbeddedHarness) -> None:
        await leader_of(group)
        before = {member_id: group.consensus(member_id).standing().term for member_id in group.ids}

        # The proxies stand still with this loop too, so the replicas are connected directly.
        time.sleep(2.5)  # noqa: ASYNC251 - the stall is the point

        after = {member_id: group.consensus(member_id).standing().term for member_id in group.ids}
        assert after == before
        await propose(group, b"as if nothing was")

    async def run(directory: Path) -> None:
        harness = EmbeddedHarness(directory, 3)
        harness.is_direct = True
        # The stall is longer than any draw of [1 s, 2 s), and a busy machine's own stalls are not.
        harness.election_ms = 1_000
        try:
            await harness.start()
            await story(harness)
        finally:
            await harness.stop()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        asyncio.run(run(Path(directory)))


def test_a_slow_application_is_given_everything_and_holds_up_nobody() -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        leader = group.consensus(leader_id)
        term = leader.standing().term
        slow_id = next(member_id for member_id in group.ids if member_id != leader_id)
        await group.halt(slow_id)
        slow = EmbeddedConsensus(group.config(slow_id))
        await slow.start()

        for _ in range(10):
            await asyncio.gather(
                *(leader.propose(b"%d" % n + b"." * 20_000, term=term) for n in range(100))
            )
        index = leader.standing().commit_index
        await eventually(lambda: slow.standing().commit_index >= index, "replication")
        # 16 KiB and one batch, of 8 MiB at most, may be on their way to it; the rest of the 20 MB
        # waits in its log.
        assert slow.standing().applied_index < index

        seen = []
        async for delivery in slow.deliveries():
            if isinstance(delivery, CommittedEntry):
                seen.append(delivery.index)
                if delivery.index >= index:
                    break
        assert seen == list(range(1, index + 1))
        await slow.stop()

    told(story, delivery_bytes_max=16 << 10)


def test_a_replica_that_is_cut_off_does_not_slow_down_the_others() -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        leader = group.consensus(leader_id)
        term = leader.standing().term
        cut_off = next(member_id for member_id in group.ids if member_id != leader_id)
        group.isolate(cut_off)

        # More than its queue and the socket's buffers hold.
        for _ in range(20):
            await asyncio.gather(*(leader.propose(bytes(200_000), term=term) for _ in range(10)))
        group.heal()

        index = await propose(group, b"last", among=(leader_id,))
        await eventually(lambda: last_index(group, cut_off) >= index, "catching up")
        assert leader.standing().term == term

    told(story)


async def left_behind(group: EmbeddedHarness) -> tuple[str, str, int]:
    """Stop a follower until the log it needs is gone. Returns the leader, it, and an index."""
    leader_id = await leader_of(group)
    behind = next(member_id for member_id in group.ids if member_id != leader_id)
    await group.halt(behind)
    index = [await propose(group, b"%d" % number) for number in range(10)][-1]
    await eventually(lambda: last_index(group, leader_id) >= index, "delivery")
    await group.consensus(leader_id).save_snapshot(index, bytes(3 << 20))
    return leader_id, behind, await propose(group, b"after the snapshot")


def test_a_snapshot_that_could_not_be_read_once_is_sent_again(
    troubled: dict[str, TroubledFiles],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id, behind, index = await left_behind(group)
        troubled[leader_id].reads_to_fail = 1

        await group.restart(behind)

        await eventually(lambda: last_index(group, behind) >= index, "catching up")
        assert troubled[leader_id].reads_to_fail == 0

    told(story, files=troubled, margin_count=0)


class SlowSnapshots(EmbeddedHarness):
    """Snapshots take half a second for each MiB."""

    def config(self, member_id: str, *, fleet_id: str = "test-fleet") -> EmbeddedConfig:
        return replace(super().config(member_id, fleet_id=fleet_id), snapshot_bytes_per_s=2 << 20)


def test_a_replica_that_is_sent_a_snapshot_knows_all_the_while_that_it_is_behind() -> None:
    async def story(group: EmbeddedHarness) -> None:
        _, behind, index = await left_behind(group)
        await group.restart(behind)
        consensus = group.consensus(behind)
        view = ViewAge(consensus.standing, staleness_bound_ms=2_000)
        contacts = set()

        def is_confirmed() -> bool:
            view.refresh(applied_index=last_index(group, behind), table_revision=0)
            if last_index(group, behind) < index:
                assert view.label()[1] is Source.KEPT
                contacts.add(consensus.standing().quorum_contact_at_ms)
            return view.label()[1] is Source.FRESH

        await eventually(is_confirmed, "catching up")
        assert last_index(group, behind) >= index
        assert len(contacts) > 5, "the leader was heard throughout"

    told(story, margin_count=0, kind=SlowSnapshots)


def test_a_member_added_later_is_found_by_a_replica_that_was_restarted_from_a_snapshot() -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        leader = group.consensus(leader_id)
        address = await group.join("d9")
        await leader.add_learner("d9", address)
        index = await propose(group, b"one")
        await eventually(lambda: last_index(group, "d9") >= index, "the log at the learner")
        await leader.promote("d9")
        index = await propose(group, b"two")
        target = next(m for m in group.ids if m not in (leader_id, "d9"))
        await eventually(lambda: last_index(group, target) >= index, "delivery")
        await group.consensus(target).save_snapshot(index, b"state")
        await group.halt(target)
        # Only the replicated address is left to find the new member by.
        (group.directory / target / "peers").unlink()

        await group.restart(target)
        await propose(group, b"three")
        async with asyncio.timeout(30):
            while (leader_id := await leader_of(group)) != target:
                # It may still be catching up, and leadership may move by itself meanwhile.
                with contextlib.suppress(MembershipRefusedError, NotLeaderError):
                    await group.consensus(leader_id).transfer(target)

        members = group.consensus(target)
        await eventually(
            lambda: {m.member_id: m.is_active for m in members.members()}.get("d9") is True,
            "the restarted leader reaching the new member",
        )

    told(story, margin_count=0)


def test_what_a_failed_replica_leaves_behind_does_not_keep_it_from_stopping(
    troubled: dict[str, TroubledFiles],
) -> None:
    async def story(group: EmbeddedHarness) -> None:
        leader_id = await leader_of(group)
        consensus = group.consensus(leader_id)
        term = consensus.standing().term
        troubled[leader_id].released.clear()
        waiting = asyncio.ensure_future(consensus.propose(b"hangs", term=term))
        await asyncio.sleep(0)

        async with asyncio.timeout(10):
            await consensus.stop()

        with pytest.raises(ConsensusError):
            await waiting
        troubled[leader_id].released.set()

    told(story, files=troubled)
