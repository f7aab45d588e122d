"""The embedded engine's parts that need no network: time, framing, the wire, crossing threads."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.consensus.embedded.app_channel import AppChannel
from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.delivery import Deliverer
from director.consensus.embedded.framing import (
    AddressNoted,
    UnknownFrameError,
    frame_address,
    frame_command,
    frame_snapshot,
    unframe_entry,
    unframe_snapshot,
)
from director.consensus.embedded.pacing import RoundTrips, TickPacer
from director.consensus.embedded.roster import Roster
from director.consensus.embedded.wire import (
    MalformedMessageError,
    decode_batch,
    decode_message,
    encode_batch,
)
from director.consensus.port import CommittedEntry, Delivery, LeadershipChanged
from director.raft.messages import (
    Entry,
    EntryKind,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from director.raft.storage import MemoryLog
from director.runtime.kept_file import CorruptFileError, KeptFile
from trafficdirector.peer.v1 import peer_pb2

NUMBERS = st.integers(0, 2**63)
IDS = st.sampled_from([ReplicaId(f"d{number}") for number in range(5)])


@st.composite
def memberships(draw: st.DrawFn) -> Membership:
    voters = draw(st.lists(IDS, unique=True))
    learners = draw(st.lists(IDS.filter(lambda replica_id: replica_id not in voters), unique=True))
    return Membership(tuple(voters), tuple(draw(st.lists(IDS, unique=True))), tuple(learners))


MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(MessageKind),
    sender=IDS,
    recipient=IDS,
    term=NUMBERS,
    index=NUMBERS,
    log_term=NUMBERS,
    commit=NUMBERS,
    entries=st.lists(
        st.builds(Entry, NUMBERS, NUMBERS, st.sampled_from(EntryKind), st.binary(max_size=64)),
        max_size=3,
    ).map(tuple),
    reject=st.booleans(),
    reject_hint=NUMBERS,
    snapshot=st.none() | st.builds(SnapshotMark, NUMBERS, NUMBERS, memberships()),
    context=NUMBERS,
    quorum_age_ms=st.integers(0, 2**32 - 1),
    force=st.booleans(),
    leader_commit=NUMBERS,
    stamp=NUMBERS,
)


@given(st.lists(MESSAGES, max_size=3))
def test_messages_arrive_as_they_were_sent(messages: list[Message]) -> None:
    sent = encode_batch(messages).SerializeToString()

    assert decode_batch(peer_pb2.ExchangeRequest.FromString(sent)) == messages


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused_and_never_guessed(noise: bytes) -> None:
    message = peer_pb2.RaftMessage()
    try:
        message.ParseFromString(noise)
    except Exception:
        return
    if message.kind in MessageKind.__members__:
        return

    with pytest.raises(MalformedMessageError):
        decode_message(message)


def test_a_contradictory_membership_is_refused() -> None:
    membership = peer_pb2.RaftMembership(voters=["d0"], learners=["d0"])
    mark = peer_pb2.RaftSnapshotMark(index=1, term=1, membership=membership)

    with pytest.raises(MalformedMessageError):
        decode_message(peer_pb2.RaftMessage(kind="SNAPSHOT", snapshot=mark))


@given(st.binary(max_size=64))
def test_a_command_is_unframed_to_what_it_was(payload: bytes) -> None:
    assert unframe_entry(frame_command(payload)) == payload


def test_an_address_is_unframed_to_what_it_was() -> None:
    noted = AddressNoted("d9", "127.0.0.1:7441")

    assert unframe_entry(frame_address(noted)) == noted


def test_an_entry_of_an_unknown_kind_is_refused_rather_than_skipped() -> None:
    with pytest.raises(UnknownFrameError):
        unframe_entry(b"\x7fwhatever")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), st.binary(max_size=64))
def test_a_snapshot_is_unframed_to_what_it_was(addresses: dict[str, str], payload: bytes) -> None:
    assert unframe_snapshot(frame_snapshot(addresses, payload)) == (addresses, payload)


def a_pacer() -> TickPacer:
    pacer = TickPacer(50, election_ticks=20, catch_up_max=2)
    pacer.due(1_000)
    return pacer


def test_a_tick_is_due_each_tick_length() -> None:
    pacer = a_pacer()

    assert [pacer.due(now_ms) for now_ms in (1_049, 1_050, 1_099, 1_100)] == [0, 1, 0, 1]


def test_a_stall_is_caught_up_with_by_no_more_than_a_heartbeat() -> None:
    pacer = a_pacer()

    # 4 s: eighty ticks late, four election timeouts of twenty.
    assert pacer.due(5_000) == 2
    assert pacer.due(5_049) == 0
    assert pacer.due(5_050) == 1


@given(st.lists(st.integers(0, 500), max_size=50))
def test_ticks_never_run_ahead_of_time(steps: list[int]) -> None:
    pacer = a_pacer()
    now_ms = 1_000
    for step in steps:
        now_ms += step
        assert pacer.due(now_ms) <= 2

    assert pacer.tick * 50 <= now_ms - 1_000
    assert pacer.wait_ms(now_ms) <= 50


def test_an_election_timeout_holds_ten_of_the_worst_round_trips() -> None:
    pacer = a_pacer()

    pacer.stretch(300)
    assert pacer.tick_ms * 20 >= 10 * 300
    pacer.stretch(1)
    assert pacer.tick_ms == 50


def test_one_slow_round_trip_on_a_new_connection_changes_no_pace() -> None:
    trips = RoundTrips()

    trips.add(900.0)
    trips.add(2.0)
    assert trips.best_ms is None

    trips.add(3.0)
    assert trips.best_ms == 2.0


def test_round_trips_that_grew_longer_are_believed_after_a_few() -> None:
    trips = RoundTrips()
    for round_trip_ms in (2.0, 2.0, 2.0, 300.0, 300.0, 300.0, 300.0):
        trips.add(round_trip_ms)
    assert trips.best_ms == 2.0

    trips.add(310.0)

    assert trips.best_ms == 300.0


def test_the_first_life_seen_of_a_member_is_the_one_believed_after_a_restart(
    tmp_path: Path,
) -> None:
    kept = KeptFile(tmp_path / "peers")

    async def story() -> None:
        await Roster(kept, {}).note_incarnation("d1", "first")
        again = Roster(kept, {})

        assert again.is_another_life("d1", "second")
        assert not again.is_another_life("d1", "first")
        assert again.forget(["d1"])
        assert not again.is_another_life("d1", "second")

    asyncio.run(story())


def test_addresses_of_the_configuration_win_over_replicated_ones_and_those_over_hearsay(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        roster = Roster(KeptFile(tmp_path / "peers"), {"d0": "configured"})
        for member_id in ("d0", "d1", "d2"):
            roster.note_advertised(member_id, "advertised")
        roster.note_replicated({"d0": "replicated", "d1": "replicated"})

        assert [roster.address(member_id) for member_id in ("d0", "d1", "d2", "d3")] == [
            "configured",
            "replicated",
            "advertised",
            None,
        ]

    asyncio.run(story())


def test_a_roster_of_a_later_release_is_refused(tmp_path: Path) -> None:
    kept = KeptFile(tmp_path / "peers")
    kept.write(b'{"format": 2}')

    with pytest.raises(CorruptFileError):
        Roster(kept, {})


def a_log(count: int) -> MemoryLog:
    log = MemoryLog(Membership((ReplicaId("d0"),)))
    log.append([an_entry(index) for index in range(1, count + 1)])
    return log


def an_entry(index: int) -> Entry:
    return Entry(index, 1, EntryKind.NORMAL, frame_command(b"%d" % index + b"." * 100))


def test_what_the_application_has_no_room_for_waits_in_the_log_and_gained_office_behind_it() -> (
    None
):
    async def story() -> list[Delivery]:
        resumed = asyncio.Event()
        channel = AppChannel(asyncio.get_running_loop(), 1_000, resumed.set)
        deliverer = Deliverer(channel, a_log(50), delivered_index=0)
        deliverer.committed(tuple(an_entry(index) for index in range(1, 11)))
        for first in range(11, 51, 10):
            deliverer.committed(tuple(an_entry(index) for index in range(first, first + 10)))
        deliverer.led(LeadershipChanged(1, "d0", is_leader=True))
        channel.flush()
        assert deliverer.delivered_index == 10
        assert not deliverer.leadership.is_leader

        seen: list[Delivery] = []
        async for delivery in channel.deliveries():
            seen.append(delivery)
            if resumed.is_set():
                resumed.clear()
                deliverer.resume()
                channel.flush()
            if isinstance(delivery, LeadershipChanged):
                break
        return seen

    seen = asyncio.run(story())

    assert [d.index for d in seen if isinstance(d, CommittedEntry)] == list(range(1, 51))
    assert seen[-1] == LeadershipChanged(1, "d0", is_leader=True)


def test_office_lost_is_told_at_once_even_to_an_application_that_is_behind() -> None:
    async def story() -> list[Delivery]:
        channel = AppChannel(asyncio.get_running_loop(), 1, lambda: None)
        deliverer = Deliverer(channel, a_log(2), delivered_index=0)
        deliverer.committed((an_entry(1),))
        deliverer.committed((an_entry(2),))
        deliverer.led(LeadershipChanged(2, "d1", is_leader=False))
        channel.end()
        return [delivery async for delivery in channel.deliveries()]

    seen = asyncio.run(story())

    assert seen[1:] == [LeadershipChanged(2, "d1", is_leader=False)]


def test_a_configuration_lists_every_fault_at_once() -> None:
    with pytest.raises(ValueError, match=r"election_ms .* heartbeat_ms") as refused:
        EmbeddedConfig(
            "d9", "fleet", Path("x"), "127.0.0.1:1", {"d0": "127.0.0.1:2"}, election_ms=100
        )

    assert "must include d9" in str(refused.value)
