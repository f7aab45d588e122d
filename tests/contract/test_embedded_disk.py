"""The pump on a full disk: nothing is promised, nothing is lost, and it goes on with room again."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from director.consensus.embedded.driver import Driver
from director.raft.config import RaftConfig
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
    SnapshotMark,
)
from director.raft.node import Node, ReadState, Role
from director.raft.storage import MemoryLog
from director.storage.errors import DiskFullError, disk_full

A, B, C = ReplicaId("a"), ReplicaId("b"), ReplicaId("c")


class SmallLog(MemoryLog):
    """A log that is full on demand."""

    is_full = False

    def append_batch(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        if self.is_full:
            raise disk_full(Path("/log"), 1)
        self.append(entries)
        if hard_state is not None:
            self.set_hard_state(hard_state)

    def sync(self) -> None:
        """Everything is durable at once."""


class Around:
    """A disk that is done at once, and a shell that remembers what it was told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.applied: list[Entry] = []
        self.lost_reads: list[int] = []
        self.room: list[DiskFullError | None] = []

    def submit(self, job: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        job()
        done(None)

    def send(self, messages: tuple[Message, ...]) -> None:
        self.sent.extend(messages)

    def installed(self, mark: SnapshotMark) -> None:
        raise AssertionError(mark)

    def apply(self, committed: tuple[Entry, ...]) -> None:
        self.applied.extend(committed)

    def answer_reads(self, confirmed: tuple[ReadState, ...], lost: tuple[int, ...]) -> None:
        self.lost_reads.extend(lost)

    def settled(self) -> None:
        """Nobody looks."""

    def failed(self, error: BaseException) -> None:
        raise error

    def out_of_room(self, error: DiskFullError | None) -> None:
        self.room.append(error)


def a_driver(*voters: ReplicaId) -> tuple[Node, SmallLog, Around, Driver]:
    log, around = SmallLog(Membership(voters)), Around()
    node = Node(RaftConfig(A), log, random.Random(1))
    return node, log, around, Driver(node, log, around, around, clock=lambda: 0)


def test_a_leader_without_room_leaves_office_and_keeps_what_it_was_given_until_there_is_room() -> (
    None
):
    node, log, around, driver = a_driver(A)
    while node.leads_term() is None:
        driver.tick(1)
    log.is_full = True

    def propose() -> None:
        node.propose(b"no room for this")

    driver.given(propose)

    assert node.role is not Role.LEADER
    assert not driver.has_stopped
    assert [str(each) for each in around.room if each] == [str(disk_full(Path("/log"), 1))]
    held = log.last_index()
    driver.tick(1)
    assert log.last_index() == held
    assert len(around.room) == 1, "said once, however often it is tried"

    log.is_full = False
    driver.tick(1)
    assert around.room[-1] is None
    assert log.entries(held + 1, held + 2, 1 << 20)[0].payload == b"no room for this"
    while node.leads_term() is None:
        driver.tick(1)
    assert b"no room for this" in [entry.payload for entry in around.applied]


def test_a_follower_without_room_answers_nothing_and_piles_nothing_up() -> None:
    node, log, around, driver = a_driver(A, B, C)
    entry = Entry(1, 1, EntryKind.NORMAL, b"x")
    log.is_full = True
    driver.step([Message(MessageKind.APPEND, B, A, 1, entries=(entry,))])
    for _ in range(1_000):
        driver.step([Message(MessageKind.HEARTBEAT, B, A, 1)])
        driver.tick(1)

    assert around.sent == []
    assert node.leader_id == B, "it knows who leads all the same"
    log.is_full = False
    driver.tick(1)
    driver.step([Message(MessageKind.APPEND, B, A, 1, entries=(entry,))])

    assert len(around.sent) < 5
    assert around.sent[-1].kind is MessageKind.APPEND_REPLY
    assert around.sent[-1].index == 1
    assert log.last_index() == 1


def test_whoever_waits_for_a_read_is_told_that_it_is_lost_while_the_disk_is_full() -> None:
    node, log, around, driver = a_driver(A, B, C)
    entry = Entry(1, 1, EntryKind.NORMAL, b"x")
    log.is_full = True
    driver.step([Message(MessageKind.APPEND, B, A, 1, entries=(entry,))])

    driver.given(lambda: node.forward_read(7))
    for _ in range(100):
        driver.step([Message(MessageKind.HEARTBEAT, B, A, 1)])
        driver.tick(1)

    assert around.lost_reads == [7]


def test_a_commit_index_that_finds_no_room_is_no_reason_to_stop() -> None:
    _, log, around, driver = a_driver(A, B, C)
    entry = Entry(1, 1, EntryKind.NORMAL, b"x")
    driver.step([Message(MessageKind.APPEND, B, A, 1, entries=(entry,))])
    log.is_full = True
    driver.step([Message(MessageKind.HEARTBEAT, B, A, 1, commit=1)])
    driver.tick(1)

    assert around.room == []
    assert [each.index for each in around.applied] == [1]
    assert log.hard_state().commit == 0
    log.is_full = False
    driver.tick(1)
    assert log.hard_state().commit == 1
