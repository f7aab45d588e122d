"""Membership changes one step at a time (Raft thesis, chapter 4), learners and snapshots."""

import pytest

from director.raft.errors import Refusal
from director.raft.membership import (
    AddLearner,
    MembershipChange,
    MembershipTrack,
    Promote,
    Remove,
    changed,
)
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    Message,
    MessageKind,
    SnapshotMark,
    encode_membership,
)
from director.raft.node import Role
from director.raft.progress import ProgressState
from tests.raft.cluster import (
    ELECTION_TICKS,
    A,
    B,
    C,
    Cluster,
    D,
    a_log,
    a_membership,
    a_node,
    an_entry,
    refusal_of,
)

ABC = a_membership(A, B, C)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (AddLearner(D), a_membership(A, B, learners=[C, D])),
        (AddLearner(B), Refusal.ALREADY_MEMBER),
        (Promote(C), a_membership(A, B, C)),
        (Promote(A), Refusal.NOT_A_LEARNER),
        (Remove(C), a_membership(A, B)),
        (Remove(B), a_membership(A, learners=[C])),
        (Remove(D), Refusal.NOT_A_MEMBER),
    ],
)
def test_a_change_is_one_step_or_a_reason(
    change: MembershipChange, outcome: Membership | Refusal
) -> None:
    assert changed(a_membership(A, B, learners=[C]), change) == outcome


def test_the_last_voter_cannot_be_removed() -> None:
    assert changed(a_membership(A, learners=[B]), Remove(A)) is Refusal.LAST_VOTER


def test_a_membership_goes_when_its_entry_is_overwritten() -> None:
    # Thesis 4.1: the newest in the log holds, committed or not.
    track = MembershipTrack(SnapshotMark(0, 0, ABC))
    track.append(5, a_membership(A, B))
    track.append(9, a_membership(A))

    track.truncate_from(9)

    assert (track.latest, track.latest_index, track.at(4)) == (a_membership(A, B), 5, ABC)


def test_a_follower_returns_to_the_old_membership_when_the_new_one_is_overwritten() -> None:
    # Thesis 4.1.
    node = a_node(a_log(ABC, 1))
    smaller = encode_membership(a_membership(A, B))
    config = Entry(2, 1, EntryKind.CONFIG, smaller)
    node.step(Message(MessageKind.APPEND, B, A, 1, index=1, log_term=1, entries=(config,)))
    assert node.membership == a_membership(A, B)

    node.step(Message(MessageKind.APPEND, C, A, 2, index=1, log_term=1, entries=(an_entry(2, 2),)))

    assert node.membership == ABC


def test_a_replica_finds_its_membership_in_its_log_after_a_restart() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A).propose_membership(Remove(C))
    cluster.settle()

    cluster.restart(B)

    assert cluster.node(B).membership == a_membership(A, B)


def test_a_new_replica_learns_catches_up_and_votes() -> None:
    # Thesis 4.2.1.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.propose(A, b"one", b"two")
    cluster.join(D)
    node.propose_membership(AddLearner(D))
    cluster.tick(3)
    assert cluster[D].payloads == [b"one", b"two"]

    node.propose_membership(Promote(D))
    cluster.settle()

    assert {replica.node.membership for replica in cluster.up()} == {a_membership(A, B, C, D)}


def test_a_learner_does_not_count_in_the_quorum() -> None:
    # Thesis 4.2.1.
    cluster = Cluster(a_membership(A, B, learners=[C]))
    node = cluster.elect(A)
    cluster.crash(B)

    cluster.propose(A, b"x")

    assert cluster[C].log.last_index() == node.last_index
    assert node.commit_index == node.last_index - 1


def test_a_learner_that_is_silent_or_behind_is_not_promoted() -> None:
    # Thesis 4.2.1: the new quorum must not wait for it.
    cluster = Cluster(a_membership(A, B, learners=[C]), promote_lag_entries_max=2)
    node = cluster.elect(A)
    cluster.isolate(C)
    cluster.propose(A, b"1", b"2", b"3")

    assert refusal_of(lambda: node.propose_membership(Promote(C))) == Refusal.NOT_CAUGHT_UP

    cluster.heal()
    cluster.tick(2)
    assert refusal_of(lambda: node.propose_membership(Promote(C))) == "accepted"


def test_one_change_is_in_flight_at_a_time() -> None:
    # Thesis 4.1: otherwise two majorities might not meet.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.propose_membership(AddLearner(D))

    refused = refusal_of(lambda: node.propose_membership(Remove(C)))

    assert refused == Refusal.CHANGE_IN_FLIGHT
    cluster.settle()
    assert refusal_of(lambda: node.propose_membership(Remove(C))) == "accepted"


def test_a_new_leader_changes_nothing_before_it_committed_in_its_own_term() -> None:
    # The fault in single-step changes that was reported by the thesis's author in 2015.
    cluster = Cluster(ABC)
    cluster.dropped_kinds = {MessageKind.APPEND}
    node = cluster.node(A)
    while node.role is not Role.LEADER:
        node.tick()
        cluster.settle()

    refused = refusal_of(lambda: node.propose_membership(Remove(C)))

    assert refused == Refusal.TERM_NOT_COMMITTED


def test_a_change_that_would_cost_the_quorum_is_refused() -> None:
    # Of A, B and C, C is silent. Without B, A would need C.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.crash(C)
    cluster.tick(ELECTION_TICKS)

    assert refusal_of(lambda: node.propose_membership(Remove(B))) == Refusal.QUORUM_AT_RISK
    assert refusal_of(lambda: node.propose_membership(Remove(C))) == "accepted"


def test_a_leader_that_removed_itself_steps_down_once_that_is_committed() -> None:
    # Thesis 4.2.2.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.propose_membership(Remove(A))
    assert cluster.leaders() == [A], "until then it manages a cluster it is no part of"

    cluster.settle()

    assert node.role is Role.FOLLOWER
    (successor,) = cluster.leaders()
    assert cluster.node(successor).membership == a_membership(B, C)


def test_a_leader_being_removed_does_not_count_itself() -> None:
    # Thesis 4.2.2.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.cut((A, C))
    node.propose_membership(Remove(A))

    cluster.settle()

    assert node.commit_index == node.last_index - 1
    assert node.role is Role.LEADER


def test_a_removed_leader_that_alone_holds_its_removal_can_still_be_elected() -> None:
    # Thesis 4.2.2. B's log is shorter, so A alone can win, and then hands over for good.
    ab = a_membership(A, B)
    log = a_log(ab, 1)
    log.append([Entry(2, 1, EntryKind.CONFIG, encode_membership(a_membership(B)))])
    log.set_hard_state(HardState(term=1, commit=1))
    cluster = Cluster(ab, logs={A: log, B: a_log(ab, 1)})

    cluster.tick(4 * ELECTION_TICKS)

    assert cluster.leaders() == [B]
    assert cluster.node(B).membership == a_membership(B)


def test_a_removed_replica_does_not_disturb_the_others() -> None:
    # Thesis 4.2.3.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.propose_membership(Remove(C))

    cluster.tick(10 * ELECTION_TICKS)

    assert (node.role, node.term) == (Role.LEADER, 1)


def test_a_replica_behind_the_log_gets_a_snapshot_and_then_entries() -> None:
    # Paper, section 7.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(C)
    cluster.propose(A, b"1", b"2", b"3")
    mark = cluster[A].take_snapshot()
    cluster.propose(A, b"4")

    cluster.heal()
    cluster.tick(3)

    assert MessageKind.SNAPSHOT in cluster.kinds_sent()
    assert cluster[C].log.snapshot_mark() == mark
    assert cluster[C].payloads == [b"4"], "the rest came with the snapshot"
    assert node.progress()[1].state is ProgressState.REPLICATE


def test_a_snapshot_that_did_not_arrive_is_sent_again() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.isolate(C)
    cluster.propose(A, b"1")
    cluster[A].take_snapshot()
    cluster.heal()
    cluster.dropped_kinds = {MessageKind.SNAPSHOT}
    cluster.tick(5)
    assert cluster.node(C).applied_index < 2

    cluster.heal()
    cluster.tick(3)

    assert cluster.node(C).applied_index == 2


def test_a_snapshot_carries_the_membership_as_of_its_index() -> None:
    # Paper, section 7: "the latest configuration in the log as of last included index".
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.propose_membership(AddLearner(D))
    cluster.settle()
    mark = cluster[A].take_snapshot()
    cluster.join(D)

    cluster.tick(3)

    assert mark.membership == a_membership(A, B, C, learners=[D])
    assert cluster.node(D).membership == mark.membership
    assert cluster.node(D).applied_index == node.applied_index


def test_a_snapshot_older_than_the_log_is_not_installed() -> None:
    # Paper, section 7: what the log already holds is kept.
    node = a_node(a_log(ABC, 1, 1, 1))
    mark = SnapshotMark(2, 1, ABC)

    node.step(Message(MessageKind.SNAPSHOT, B, A, 1, snapshot=mark))

    ready = node.ready()
    assert ready.snapshot is None
    assert (node.last_index, node.commit_index) == (3, 2)


def test_a_snapshot_below_the_commit_index_takes_nothing_back() -> None:
    node = a_node(a_log(ABC, 1, 1, 1, hard_state=HardState(term=1, commit=3)))

    node.step(Message(MessageKind.SNAPSHOT, B, A, 1, snapshot=SnapshotMark(2, 1, ABC)))

    ready = node.ready()
    assert (ready.snapshot, node.commit_index) == (None, 3)
    assert [reply.index for reply in ready.messages_after_persist] == [3]


def test_nothing_is_applied_while_a_snapshot_is_not_installed() -> None:
    node = a_node(a_log(ABC, 1))
    node.step(Message(MessageKind.SNAPSHOT, B, A, 2, snapshot=SnapshotMark(9, 2, ABC)))
    node.step(
        Message(
            MessageKind.APPEND, B, A, 2, index=9, log_term=2, commit=10, entries=(an_entry(10, 2),)
        )
    )

    ready = node.ready()

    assert (ready.snapshot, ready.committed) == (SnapshotMark(9, 2, ABC), ())
    assert [entry.index for entry in ready.entries] == [10]
