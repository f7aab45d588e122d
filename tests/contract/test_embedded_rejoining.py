"""A replica that comes back with an empty directory: what the others remember of it, and forget.

Under its old name it is refused as a voter, by everyone and in both directions, until it was
removed and added again (fault 25, C10). From then on it is a new member to everyone.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from director.consensus.embedded.framing import (
    UnknownFrameError,
    frame_snapshot,
    joined_in_snapshot,
    unframe_snapshot,
)
from director.consensus.embedded.link import Hello
from director.consensus.embedded.roster import Roster
from director.consensus.embedded.transport import Transport
from director.consensus.embedded.wire import encode_message
from director.raft.messages import Message, MessageKind, ReplicaId
from director.runtime.kept_file import KeptFile
from trafficdirector.peer.v1 import peer_pb2

FLEET = "fleet"


class Shell:
    """A replica that knows some members."""

    def __init__(self, members: set[str]) -> None:
        self.members = members
        self.taken: list[Message] = []

    def knows(self, peer_id: str) -> bool:
        return peer_id in self.members

    def hears_leader(self) -> bool:
        return True

    def received(self, messages: list[Message]) -> None:
        self.taken.extend(messages)

    def unreachable(self, peer_id: str) -> None:
        raise AssertionError(peer_id)

    async def receive_snapshot(self, message: Message, offer: object, rest: object) -> bool:
        raise AssertionError(message)


class Context:
    """The server's end of a call."""

    async def abort(self, code: object, details: str) -> None:
        raise ConnectionAbortedError(details)

    async def send_initial_metadata(self, metadata: object) -> None:
        """Nobody reads it."""

    async def write(self, response: object) -> None:
        """Nobody reads it."""

    def invocation_metadata(self) -> tuple[()]:
        return ()


def a_transport(roster: Roster, members: set[str]) -> tuple[Transport, Shell]:
    shell = Shell(members)
    hello = Hello(FLEET, "d0", "own", "")
    return Transport(hello, roster, cast("Any", shell), random.Random(1)), shell


def a_batch(incarnation: str, index: int) -> peer_pb2.ExchangeRequest:
    reply = Message(MessageKind.APPEND_REPLY, ReplicaId("d1"), ReplicaId("d0"), 1, index=index)
    return peer_pb2.ExchangeRequest(
        fleet_id=FLEET,
        replica_id="d1",
        incarnation=incarnation,
        messages=[encode_message(reply)],
    )


async def told(transport: Transport, requests: AsyncIterator[peer_pb2.ExchangeRequest]) -> None:
    await transport._exchange(requests, cast("Any", Context()))


def test_a_member_that_was_added_again_is_new_even_to_who_never_saw_it_removed(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        kept = KeptFile(tmp_path / "peers")
        roster = Roster(kept, {})
        await roster.note_incarnation("d1", "first")
        roster.note_replicated({"d1": "there:1"}, {"d1": 40})
        assert not roster.is_another_life("d1", "second")
        await roster.note_incarnation("d1", "second")

        again = Roster(kept, {})
        again.note_replicated({"d1": "there:1"}, {"d1": 40})  # replayed, or told by a snapshot
        assert again.is_another_life("d1", "third"), "the same addition forgets nothing twice"
        assert again.joined == {"d1": 40}

    asyncio.run(story())


def test_a_snapshot_tells_who_was_added_when_and_is_as_before_if_nobody_was() -> None:
    addresses, joined = {"d3": "there:3"}, {"d3": 17}
    plain, told_of = frame_snapshot(addresses, b"state"), frame_snapshot(addresses, b"x", joined)

    assert plain[0] == 1, "earlier releases read it"
    assert unframe_snapshot(plain) == (addresses, b"state")
    assert joined_in_snapshot(plain) == {}
    assert unframe_snapshot(told_of) == (addresses, b"x")
    assert joined_in_snapshot(told_of) == joined
    with pytest.raises(UnknownFrameError):
        unframe_snapshot(b"\x03" + told_of[1:])


def test_another_life_is_refused_also_while_its_removal_is_under_way(tmp_path: Path) -> None:
    # What still waits to be sent to it is about the log that it lost.
    async def story() -> None:
        roster = Roster(KeptFile(tmp_path / "peers"), {})
        await roster.note_incarnation("d1", "first")
        transport, shell = a_transport(roster, {"d0", "d1"})
        vet = transport._vet_answering("d1")
        assert await vet(Hello(FLEET, "d1", "first", "")) == ""

        shell.members.remove("d1")
        assert "empty directory" in await vet(Hello(FLEET, "d1", "second", ""))
        roster.forget(["d1"])
        assert await vet(Hello(FLEET, "d1", "second", "")) == ""

    asyncio.run(story())


def test_a_stream_from_before_a_member_was_added_again_is_not_listened_to(tmp_path: Path) -> None:
    # Its last words may come late: the network held them back while the member was replaced.
    async def story() -> list[int]:
        roster = Roster(KeptFile(tmp_path / "peers"), {})
        transport, shell = a_transport(roster, {"d0", "d1"})

        async def stream() -> AsyncIterator[peer_pb2.ExchangeRequest]:
            yield a_batch("first", 7)
            yield a_batch("first", 8)
            roster.forget(["d1"])
            roster.note_replicated({"d1": "there:1"}, {"d1": 40})
            yield a_batch("first", 9)

        await told(transport, stream())
        return [message.index for message in shell.taken]

    assert asyncio.run(story()) == [7, 8]


def test_who_was_added_again_while_its_stream_was_greeted_has_to_come_again(tmp_path: Path) -> None:
    async def story() -> list[int]:
        roster = Roster(KeptFile(tmp_path / "peers"), {})
        transport, shell = a_transport(roster, {"d0", "d1"})

        class Slow(Context):
            async def send_initial_metadata(self, metadata: object) -> None:
                roster.note_replicated({"d1": "there:1"}, {"d1": 40})

        async def stream() -> AsyncIterator[peer_pb2.ExchangeRequest]:
            yield a_batch("first", 7)
            yield a_batch("first", 8)

        await transport._exchange(stream(), cast("Any", Slow()))
        return [message.index for message in shell.taken]

    assert asyncio.run(story()) == []


def test_an_incarnation_that_could_not_be_written_down_is_not_believed_the_next_time_either(
    tmp_path: Path,
) -> None:
    class Full(KeptFile):
        def write(self, payload: bytes) -> None:
            raise OSError(28, "No space left on device")

    async def story() -> None:
        transport, _ = a_transport(Roster(Full(tmp_path / "peers"), {}), {"d0", "d1"})
        vet = transport._vet_answering("d1")
        for _ in range(2):
            assert "No space left" in await vet(Hello(FLEET, "d1", "first", ""))

    asyncio.run(story())
