"""Linearizable reads (Raft thesis, section 6.4) and leadership transfer (section 3.10)."""

from director.raft.errors import Refusal
from director.raft.messages import Message, MessageKind
from director.raft.node import ReadState, Role
from tests.raft.cluster import (
    ELECTION_TICKS,
    A,
    B,
    C,
    Cluster,
    a_membership,
    refusal_of,
)

ABC = a_membership(A, B, C)


def test_a_read_is_answered_with_the_commit_index_of_its_moment() -> None:
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.propose(A, b"x")

    node.read_index(7)
    cluster.settle()

    assert cluster[A].reads == [ReadState(context=7, index=2, term=1)]


def test_many_reads_share_one_round() -> None:
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    for context in range(50):
        node.read_index(context)

    heartbeats = [m for m in cluster[A].take() if m.kind is MessageKind.HEARTBEAT]

    assert len(heartbeats) == 2


def test_a_round_that_began_before_the_read_does_not_confirm_it() -> None:
    # Its answers may have been given before another leader was elected.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.tick()
    early = [m for m in cluster[A].pump() if m.recipient == B and m.kind is MessageKind.HEARTBEAT]
    (answer,) = (m for m in _answers(cluster, early))

    node.read_index(1)
    cluster[A].pump()
    node.step(answer)
    cluster[A].pump()

    assert cluster[A].reads == []


def _answers(cluster: Cluster, messages: list[Message]) -> list[Message]:
    for message in messages:
        cluster.node(message.recipient).step(message)
    return cluster[B].pump()


def test_a_leader_that_was_overtaken_confirms_no_read() -> None:
    # Without check-quorum, so that the old leader does not notice by itself.
    cluster = Cluster(ABC, check_quorum=False)
    old = cluster.elect(A)
    cluster.isolate(A)
    cluster.elect(B)
    cluster.propose(B, b"newer")

    old.read_index(1)
    cluster.settle()
    assert (old.role, cluster[A].reads) == (Role.LEADER, [])

    cluster.heal()
    cluster.tick(2)
    assert cluster[A].reads_lost == [1]


def test_a_new_leader_answers_reads_only_when_its_own_first_entry_is_committed() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.propose(A, b"x")
    cluster.crash(A)
    cluster.dropped_kinds = {MessageKind.APPEND}
    node = cluster.elect(B)

    node.read_index(1)
    cluster.settle()
    assert cluster[B].reads == []

    cluster.heal()
    cluster.tick(2)
    assert [read.index for read in cluster[B].reads] == [3]


def test_reads_are_reported_lost_when_leadership_is() -> None:
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(A)
    node.read_index(5)

    cluster.tick(2 * ELECTION_TICKS)

    assert (cluster[A].reads, cluster[A].reads_lost) == ([], [5])


def test_a_follower_refuses_reads_but_forwards_them_when_asked_to() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.propose(A, b"x")
    follower = cluster.node(B)
    assert refusal_of(lambda: follower.read_index(1)) == Refusal.NOT_LEADER

    follower.forward_read(1)
    cluster.settle()

    assert cluster[B].reads == [ReadState(context=1, index=2, term=1)]


def test_a_forwarded_read_without_an_answer_is_lost_after_an_election_timeout() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.cut((B, A))
    cluster.node(B).forward_read(1)

    cluster.tick(ELECTION_TICKS + 1)

    assert cluster[B].reads_lost == [1]


def test_the_answer_to_a_read_from_before_a_restart_is_not_believed() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.node(B).forward_read(1)
    asked = cluster[B].pump()
    for message in asked:
        cluster.node(A).step(message)
    cluster.dropped_kinds = {MessageKind.READ_INDEX_REPLY}
    stale = Message(MessageKind.READ_INDEX_REPLY, A, B, 1, index=1, context=asked[0].context)
    cluster.settle()

    cluster.restart(B)
    cluster.tick(2)
    cluster.node(B).forward_read(1)
    cluster.node(B).step(stale)
    cluster.settle()

    assert cluster[B].reads == []


def test_a_read_of_a_single_voter_needs_nobody() -> None:
    cluster = Cluster(a_membership(A))
    node = cluster.elect(A)

    node.read_index(3)
    cluster.settle()

    assert [read.context for read in cluster[A].reads] == [3]


def test_leadership_goes_to_whom_it_is_handed() -> None:
    # Thesis 3.10: no election timeout passes.
    cluster = Cluster(ABC)
    node = cluster.elect(A)

    node.transfer_leadership(B)
    cluster.settle()

    assert cluster.leaders() == [B]
    assert cluster.node(B).leads_term() == 2


def test_a_replica_that_is_behind_catches_up_before_it_leads() -> None:
    # Thesis 3.10.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(B)
    cluster.propose(A, b"x")
    node.transfer_leadership(B)
    cluster.settle()
    assert refusal_of(lambda: node.propose(b"y")) == Refusal.TRANSFERRING

    cluster.heal()
    cluster.tick(3)

    assert cluster.leaders() == [B]
    assert cluster[B].payloads == [b"x"]


def test_a_transfer_is_given_up_after_an_election_timeout() -> None:
    # Thesis 3.10.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.crash(B)
    node.transfer_leadership(B)

    cluster.tick(ELECTION_TICKS)

    assert (node.role, node.transferee) == (Role.LEADER, None)
    assert refusal_of(lambda: node.propose(b"x")) == "accepted"


def test_leadership_is_not_handed_to_a_learner_or_a_stranger() -> None:
    cluster = Cluster(a_membership(A, B, learners=[C]))
    node = cluster.elect(A)

    assert refusal_of(lambda: node.transfer_leadership(C)) == Refusal.NOT_A_VOTER
    assert refusal_of(lambda: cluster.node(B).transfer_leadership(A)) == Refusal.NOT_LEADER
