"""Beginning anew from a copy of a data directory: what is kept, forgotten and refused."""

import asyncio
import hashlib
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from director.app import PeerAddresses, RestoreError, Settings, restore, start
from director.consensus.embedded.framing import (
    AddressNoted,
    frame_address,
    frame_command,
    frame_snapshot,
    unframe_snapshot,
)
from director.core.commands import ApplyManifest, Command, GrantOwnership, SetRegionDrained
from director.core.state import State
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    ReplicaId,
    SnapshotMark,
    encode_membership,
)
from director.service.codec import decode_state, encode_command, encode_state
from director.storage.data_directory import DataDirectory
from tests.cli.running import run
from tests.core.builders import CHAT_GROUP, EU, US, Ledger, a_stamp, a_topology
from tests.shells.fleet import MANIFEST, eventually, free_ports
from tests.shells.test_serve import a_replica, addresses, call, led
from trafficdirector.admin.v1 import admin_pb2 as pb

FOUNDING = Membership(voters=(ReplicaId("d0"), ReplicaId("d1"), ReplicaId("d2")))
COMMANDS: tuple[Command, ...] = (
    ApplyManifest(a_stamp(), a_topology()),
    GrantOwnership(a_stamp(1), CHAT_GROUP, EU, 0),
    SetRegionDrained(a_stamp(2), US, drained=True),
)


def an_entry(index: int, payload: bytes, kind: EntryKind = EntryKind.NORMAL) -> Entry:
    return Entry(index=index, term=3, kind=kind, payload=payload)


def a_copy(path: Path, *, committed: int = 5, snapshot_at: int = 0) -> Ledger:
    """Make a directory as a replica leaves it, and return what its state was at ``committed``."""
    directory = DataDirectory.open(
        path, fleet_id="prod", replica_id=ReplicaId("d0"), founding=FOUNDING
    )
    noted = frame_address(AddressNoted("d3", "127.0.0.1:7000"))
    framed = [frame_command(encode_command(each)) for each in COMMANDS]
    payloads = [b"", framed[0], noted, framed[1], framed[2]]
    entries = [an_entry(index, payload) for index, payload in enumerate(payloads, start=1)]
    entries.append(an_entry(6, encode_membership(FOUNDING), EntryKind.CONFIG))
    directory.wal.append_batch(HardState(term=4, vote=None, commit=committed), entries)
    directory.wal.sync()
    ledger = Ledger()
    for index, command in enumerate([None, COMMANDS[0], None, *COMMANDS[1:], None], start=1):
        if index > committed:
            break
        ledger.apply(command)
        if index == snapshot_at:
            mark = SnapshotMark(index, 3, FOUNDING)
            state = encode_state(ledger.state)
            directory.snapshots.save(mark, frame_snapshot({}, state))
            directory.wal.record_snapshot(mark)
            directory.wal.sync()
    directory.close()
    return ledger


def found(path: Path, replica_id: str = "d9") -> tuple[SnapshotMark, bytes, HardState]:
    """Open what was restored, as a replica does."""
    directory = DataDirectory.open(
        path, fleet_id="prod", replica_id=ReplicaId(replica_id), founding=Membership(voters=())
    )
    try:
        assert directory.snapshot is not None
        assert not directory.is_new
        wal = directory.wal
        return wal.snapshot_mark(), directory.snapshot, wal.hard_state()
    finally:
        directory.close()


def digest_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("snapshot_at", [0, 2, 5])
def test_the_state_of_the_copy_goes_on_in_the_next_generation(
    tmp_path: Path, snapshot_at: int
) -> None:
    copied = a_copy(tmp_path / "copy", snapshot_at=snapshot_at).state

    done = restore(tmp_path / "copy", tmp_path / "new", "d9")

    mark, framed, hard_state = found(tmp_path / "new")
    state = decode_state(unframe_snapshot(framed)[1])
    assert (done.fleet_id, done.copied_from, done.index) == ("prod", "d0", 5)
    assert (done.revision, done.generation) == (1, 2)
    assert mark == SnapshotMark(5, 3, Membership(voters=(ReplicaId("d9"),)))
    assert (hard_state.term, hard_state.commit, hard_state.vote) == (3, 5, None)
    assert replace(state, generation_due=0) == copied
    assert (state.generation, state.generation_due) == (1, 2)


def test_what_the_copy_does_not_know_to_be_committed_is_dropped_and_counted(
    tmp_path: Path,
) -> None:
    a_copy(tmp_path / "copy", committed=4)

    done = restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert (done.index, done.dropped_count) == (4, 2)
    state = decode_state(unframe_snapshot(found(tmp_path / "new", "d0")[1])[1])
    assert state.drained_regions == ()


def test_of_an_only_voter_every_entry_counts(tmp_path: Path) -> None:
    alone = Membership(voters=(ReplicaId("d0"),))
    directory = DataDirectory.open(
        tmp_path / "copy", fleet_id="prod", replica_id=ReplicaId("d0"), founding=alone
    )
    entries = [an_entry(1, b""), an_entry(2, frame_command(encode_command(COMMANDS[0])))]
    directory.wal.append_batch(HardState(term=3, vote=None, commit=1), entries)
    directory.wal.sync()
    directory.close()

    done = restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert (done.index, done.revision, done.dropped_count) == (2, 1, 0)


def test_the_copy_stays_as_it_is_and_nothing_is_left_beside_the_new_directory(
    tmp_path: Path,
) -> None:
    a_copy(tmp_path / "copy")
    before = digest_of(tmp_path / "copy")

    restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert digest_of(tmp_path / "copy") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "new"]


@pytest.mark.parametrize("name", ["new.copy", "new.partial"])
def test_a_copy_is_kept_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    a_copy(tmp_path / name)
    before = digest_of(tmp_path / name)

    restore(tmp_path / name, tmp_path / "new", "d0")

    assert digest_of(tmp_path / name) == before


def test_a_copy_restored_twice_needs_a_generation_of_its_own_each_time(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy")

    first = restore(tmp_path / "copy", tmp_path / "one", "d0")
    second = restore(tmp_path / "copy", tmp_path / "two", "d0", generation_min=7)

    assert (first.generation, second.generation) == (2, 7)


def test_a_damaged_copy_is_refused_by_file_and_offset(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy")
    segment = max((tmp_path / "copy" / "log").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    content[200] ^= 1
    segment.write_bytes(content)

    with pytest.raises(RestoreError, match=f"{segment} is damaged at byte"):
        restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_a_copy_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()

    for copy in (tmp_path / "copy", tmp_path / "none"):
        with pytest.raises(RestoreError, match="is not the data directory of a replica"):
            restore(copy, tmp_path / "new", "d0")


def test_a_copy_with_an_entry_of_a_later_release_is_refused(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy")
    directory = DataDirectory.open(
        tmp_path / "copy", fleet_id="prod", replica_id=ReplicaId("d0"), founding=FOUNDING
    )
    later = an_entry(7, frame_command(b"\x09later"))
    directory.wal.append_batch(HardState(term=4, vote=None, commit=7), [later])
    directory.wal.sync()
    directory.close()

    with pytest.raises(RestoreError, match="entry 7 is packed in form"):
        restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert not (tmp_path / "new").exists()


def test_a_directory_that_is_there_is_never_touched(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_text("mine")

    with pytest.raises(RestoreError, match="is there already"):
        restore(tmp_path / "copy", tmp_path / "new", "d0")

    assert (tmp_path / "new" / "file").read_text() == "mine"


# -- the command -----------------------------------------------------------------------------------


def ask(tmp_path: Path, *arguments: str) -> Result:
    places = ("--from", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "new"))
    return run("restore", *places, "--id", "d0", *arguments)


def test_the_command_says_what_it_made_what_it_dropped_and_how_to_go_on(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy", committed=4)

    result = ask(tmp_path, "--generation", "5")

    assert result.exit_code == 0
    assert (
        "holds fleet prod as d0 knew it at index 4: revision 1; generation 5 starts"
        in result.stdout
    )
    assert "dropped 2 entries" in result.stdout
    assert "director serve --id d0 --fleet prod --data-dir" in result.stdout


def test_the_command_refuses_in_one_line_and_makes_nothing(tmp_path: Path) -> None:
    result = ask(tmp_path)

    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path / 'copy'} is not the data directory of a replica\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.integration
def test_a_replica_serves_what_was_copied_from_another(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    listen, peer = addresses()

    async def apply() -> None:
        await led(listen)
        request = pb.ApplyManifestRequest(documents=MANIFEST)
        method = "admin.v1.FleetService/ApplyManifest"
        await call(listen, method, request, pb.ApplyManifestResponse)

    with a_replica(old, listen, peer) as process:
        asyncio.run(apply())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    restore(old, new, "d0")
    with a_replica(new, listen, peer):
        seen = asyncio.run(led(listen))

    assert seen.config_revision == 1


@pytest.mark.slow
@pytest.mark.integration
def test_another_replica_joins_the_restored_one_and_has_its_state(tmp_path: Path) -> None:
    a_copy(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "d0", "d0")
    ports = [f"127.0.0.1:{port}" for port in free_ports(4)]
    places = {"d0": PeerAddresses(ports[0], ports[1]), "d1": PeerAddresses(ports[2], ports[3])}

    def settings(replica_id: str, *, join: bool) -> Settings:
        own = places[replica_id]
        return Settings(
            replica_id,
            "prod",
            tmp_path / replica_id,
            own.api,
            own.peer,
            peers={each: place for each, place in places.items() if each != replica_id},
            join=join,
            election_ms=300,
        )

    async def story() -> tuple[State, State]:
        first = await start(settings("d0", join=False))
        second = await start(settings("d1", join=True))
        try:
            # No agent is there, and none is waited for longer than five seconds.
            await eventually(lambda: first.replica.state.generation == 2)
            await first.consensus.add_learner("d1", places["d1"].peer)
            await eventually(lambda: second.replica.state == first.replica.state)
            await first.consensus.promote("d1")
            members = first.consensus.members
            await eventually(lambda: [each.is_voter for each in members()] == [True, True])
            return first.replica.state, second.replica.state
        finally:
            await second.stop()
            await first.stop()

    ours, theirs = asyncio.run(story())

    assert ours.groups == theirs.groups
    assert (ours.generation, ours.generation_due, ours.drained_regions) == (2, 0, (US,))
