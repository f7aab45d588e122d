"""Elections as the Raft paper and the thesis describe them. Each test cites its section."""

from dataclasses import replace

import pytest

from director.raft.messages import HardState, Message, MessageKind, ReplicaId
from director.raft.node import AddLearner, Role
from tests.raft.cluster import (
    ELECTION_TICKS,
    TICK_MS,
    A,
    B,
    C,
    Cluster,
    D,
    E,
    a_log,
    a_membership,
    a_node,
)

ABC = a_membership(A, B, C)


def a_vote_request(
    term: int, index: int = 0, log_term: int = 0, *, force: bool = False, pre: bool = False
) -> Message:
    kind = MessageKind.PRE_VOTE if pre else MessageKind.VOTE
    return Message(kind, B, A, term, index=index, log_term=log_term, force=force)


def a_heartbeat(term: int = 1) -> Message:
    return Message(MessageKind.HEARTBEAT, C, A, term)


def test_a_replica_starts_as_a_follower_and_campaigns_only_after_silence() -> None:
    # Paper 5.2.
    node = a_node(a_log(ABC))

    for _ in range(ELECTION_TICKS - 1):
        node.tick()

    assert node.role is Role.FOLLOWER


def test_election_timeouts_are_drawn_from_one_to_two_election_ticks() -> None:
    # Paper 5.2: random, so that votes rarely split.
    waited = set()
    for seed in range(200):
        node = a_node(a_log(ABC), seed=seed)
        ticks = 0
        while node.role is Role.FOLLOWER:
            node.tick()
            ticks += 1
        waited.add(ticks)

    assert waited == set(range(ELECTION_TICKS, 2 * ELECTION_TICKS))


def test_a_majority_elects_a_leader_which_announces_itself() -> None:
    # Paper 5.2.
    cluster = Cluster(ABC)
    cluster.isolate(C)

    cluster.elect(A)

    assert cluster.node(B).leader_id == A
    assert cluster.node(B).term == cluster.node(A).term == 1
    assert cluster.node(A).leads_term() == 1


def test_a_minority_elects_nobody_and_raises_no_term() -> None:
    # Thesis 9.6: a pre-vote that fails costs no term.
    cluster = Cluster(ABC)
    cluster.isolate(A)
    cluster.crash(B)
    cluster.crash(C)

    cluster.tick(10 * ELECTION_TICKS)

    assert cluster.leaders() == []
    assert cluster.node(A).term == 0


def test_each_replica_gives_one_vote_per_term_first_come_first_served() -> None:
    # Paper 5.2.
    node = a_node(a_log(ABC))
    node.step(a_vote_request(term=1))
    node.step(Message(MessageKind.VOTE, C, A, 1))

    replies = node.ready().messages_after_persist

    assert [(reply.recipient, reply.reject) for reply in replies] == [(B, False), (C, True)]


def test_a_vote_is_durable_before_it_is_given() -> None:
    # Paper, figure 2: "updated on stable storage before responding".
    node = a_node(a_log(ABC))
    node.step(a_vote_request(term=1))

    ready = node.ready()

    assert ready.hard_state == HardState(term=1, vote=B, commit=0)
    assert ready.must_sync
    assert ready.messages_now == ()


def test_a_vote_survives_a_restart() -> None:
    # Paper 5.2 and figure 2.
    node = a_node(a_log(ABC, hard_state=HardState(term=1, vote=C)))

    node.step(a_vote_request(term=1))

    (reply,) = node.ready().messages_after_persist
    assert reply.reject


@pytest.mark.parametrize(
    ("index", "log_term", "is_granted"),
    [(2, 2, True), (3, 2, True), (1, 3, True), (1, 2, False), (5, 1, False)],
)
def test_a_vote_is_refused_to_a_log_that_is_behind(
    index: int, log_term: int, is_granted: bool
) -> None:
    # Paper 5.4.1: the later last term wins, then the longer log. Ours ends at index 2, term 2.
    node = a_node(a_log(ABC, 1, 2))

    node.step(a_vote_request(term=3, index=index, log_term=log_term))

    (reply,) = node.ready().messages_after_persist
    assert reply.reject is not is_granted


def test_a_candidate_that_hears_a_leader_of_its_term_follows_it() -> None:
    # Paper 5.2.
    node = a_node(a_log(ABC), pre_vote=False)
    while node.role is not Role.CANDIDATE:
        node.tick()

    node.step(a_heartbeat(term=1))

    assert (node.role, node.leader_id) == (Role.FOLLOWER, C)


def test_a_leader_that_hears_of_a_higher_term_steps_down() -> None:
    # Paper 5.1.
    cluster = Cluster(ABC)
    node = cluster.elect(A)

    node.step(Message(MessageKind.APPEND_REPLY, B, A, 7, reject=True))

    assert (node.role, node.term, node.leader_id) == (Role.FOLLOWER, 7, None)


def test_messages_of_older_terms_change_nothing() -> None:
    # Paper 5.1.
    node = a_node(a_log(ABC, 1, 2, hard_state=HardState(term=2)))

    node.step(Message(MessageKind.APPEND, B, A, 1, index=1, log_term=1, commit=1))

    assert (node.last_index, node.commit_index, node.leader_id) == (2, 0, None)


def test_no_vote_is_given_while_a_leader_is_heard() -> None:
    # Thesis 4.2.3: a replica that was removed must not disturb the others.
    node = a_node(a_log(ABC))
    node.step(a_heartbeat(term=1))

    node.step(a_vote_request(term=9, index=99, log_term=8))

    assert node.term == 1
    assert [m.kind for m in node.ready().messages_after_persist] == [MessageKind.HEARTBEAT_REPLY]


def test_a_vote_is_given_once_the_leader_was_silent_for_the_shortest_timeout() -> None:
    # Thesis 4.2.3.
    node = a_node(a_log(ABC), seed=3)
    node.step(a_heartbeat(term=1))
    for _ in range(ELECTION_TICKS):
        node.tick()

    node.step(a_vote_request(term=9, index=99, log_term=8))

    assert node.term == 9


def test_an_election_the_leader_asked_for_is_not_held_up_by_its_lease() -> None:
    # Thesis 4.2.3 and 3.10.
    node = a_node(a_log(ABC))
    node.step(a_heartbeat(term=1))

    node.step(a_vote_request(term=2, force=True))

    (_, reply) = node.ready().messages_after_persist
    assert (reply.kind, reply.reject) == (MessageKind.VOTE_REPLY, False)


def test_a_pre_vote_changes_neither_term_nor_vote() -> None:
    # Thesis 9.6.
    node = a_node(a_log(ABC))

    node.step(a_vote_request(term=5, pre=True))

    ready = node.ready()
    assert ready.hard_state is None
    assert [(m.kind, m.reject, m.term) for m in ready.messages_after_persist] == [
        (MessageKind.PRE_VOTE_REPLY, False, 5)
    ]


def test_a_late_answer_to_a_pre_vote_does_not_count_as_a_vote() -> None:
    node = a_node(a_log(a_membership(A, B, C, D)))
    while node.role is Role.FOLLOWER:
        node.tick()
    node.step(Message(MessageKind.PRE_VOTE_REPLY, B, A, 1))
    node.step(Message(MessageKind.PRE_VOTE_REPLY, C, A, 1))
    assert node.role is Role.CANDIDATE

    node.advance(node.ready())
    node.step(Message(MessageKind.PRE_VOTE_REPLY, D, A, 1))
    node.step(Message(MessageKind.PRE_VOTE_REPLY, C, A, 1))

    assert node.role is Role.CANDIDATE


def test_a_leader_without_a_quorum_steps_down_after_an_election_timeout() -> None:
    # Thesis 6.2.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(A)

    cluster.tick(ELECTION_TICKS - 2)
    assert node.role is Role.LEADER
    cluster.tick(2)

    assert node.role is not Role.LEADER


def test_a_replica_that_was_cut_off_rejoins_without_an_election() -> None:
    # Thesis 9.6.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.isolate(C)
    cluster.tick(5 * ELECTION_TICKS)

    cluster.heal()
    cluster.tick(2 * ELECTION_TICKS)

    assert cluster.leaders() == [A]
    assert {replica.node.term for replica in cluster.up()} == {1}


def test_a_replica_with_a_higher_term_is_taken_back_by_one_election() -> None:
    # Its term came from a campaign without pre-vote. The leader cannot bring it back by heartbeats.
    logs = {C: a_log(ABC, hard_state=HardState(term=9))}
    cluster = Cluster(ABC, logs=logs)
    cluster.isolate(C)
    cluster.elect(A)
    cluster.propose(A, b"x")

    cluster.heal()
    cluster.tick(4 * ELECTION_TICKS)

    (leader,) = cluster.leaders()
    assert cluster.node(leader).term >= 10
    assert cluster[C].payloads == [b"x"]


def test_a_single_voter_elects_itself_once_its_vote_is_durable() -> None:
    cluster = Cluster(a_membership(A))
    node = cluster.node(A)
    while node.role is Role.FOLLOWER:
        node.tick()
    roles = [node.role]

    cluster[A].take()
    cluster[A].persist()
    cluster[A].finish()

    assert [*roles, node.role] == [Role.CANDIDATE, Role.LEADER]
    assert node.leads_term() is None, "its first entry is not applied yet"
    cluster.settle()
    assert node.leads_term() == 1


def test_a_learner_never_campaigns() -> None:
    cluster = Cluster(a_membership(A, B, learners=[C]))
    cluster.crash(A)
    cluster.crash(B)

    cluster.tick(5 * ELECTION_TICKS)

    assert cluster.node(C).role is Role.FOLLOWER


def contact_age_ms(cluster: Cluster, replica_id: ReplicaId) -> int:
    contact = cluster.node(replica_id).quorum_contact
    assert contact is not None
    return cluster.now_ms - contact.at_ms


def test_the_age_of_quorum_contact_counts_from_when_the_leader_asked() -> None:
    # A8: an answer that was long on its way proves nothing about now.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(A)
    cluster.tick(5)

    node.step(Message(MessageKind.HEARTBEAT_REPLY, B, A, 1, context=1))

    assert contact_age_ms(cluster, A) == 5 * TICK_MS


def test_a_follower_adds_the_age_its_leader_reports_to_that_of_its_own_last_word() -> None:
    # A8. The leader got word of this follower at the last heartbeat, and of a quorum before that.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.tick()
    before_ms = contact_age_ms(cluster, B)
    heartbeat = next(m for m in reversed(cluster.delivered) if m.recipient == B)

    cluster.pass_time(300)
    cluster.node(B).step(replace(heartbeat, stamp=heartbeat.stamp + TICK_MS, quorum_age_ms=20))

    assert contact_age_ms(cluster, B) == 300 + before_ms - TICK_MS + 20 - heartbeat.quorum_age_ms


def test_a_follower_that_is_cut_off_along_with_its_leader_is_as_old_as_the_cut() -> None:
    # R6. The others elect a new leader and write, while these two still hear each other.
    cluster = Cluster(a_membership(A, B, C, D, E))
    cluster.elect(A)
    cluster.tick(4)
    before_ms = contact_age_ms(cluster, B)
    for cut_off in (A, B):
        for other in (C, D, E):
            cluster.cut((cut_off, other), (other, cut_off))

    cluster.tick(ELECTION_TICKS - 2)

    assert cluster.node(B).leader_id == A
    assert cluster.node(B).election_elapsed_ticks <= 2
    assert contact_age_ms(cluster, B) >= (ELECTION_TICKS - 2) * TICK_MS
    assert before_ms <= 3 * TICK_MS


def test_word_that_waited_while_a_follower_stood_still_is_as_old_as_the_wait() -> None:
    # R6. Its heartbeats fill the socket of a stopped replica; they are read first when it goes on.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.tick(4)
    waiting = [m for m in cluster.delivered if m.recipient == B and m.sender == A][-2:]
    assert contact_age_ms(cluster, B) <= 3 * TICK_MS

    cluster.pass_time(14_000)
    for message in waiting:
        cluster.node(B).step(message)

    assert contact_age_ms(cluster, B) >= 14_000


def test_a_leader_that_stood_still_counts_the_time() -> None:
    # R6. No tick passed meanwhile.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.tick(4)

    cluster.pass_time(14_000)

    assert contact_age_ms(cluster, A) >= 14_000


def test_a_stamp_of_an_earlier_life_dates_nothing() -> None:
    # R6. A clock may begin anew with the machine.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.tick(4)
    heartbeat = next(m for m in reversed(cluster.delivered) if m.recipient == B)
    cluster.restart(B)
    cluster.pass_time(0)

    cluster.node(B).step(heartbeat)
    assert cluster.node(B).quorum_contact is None

    cluster.tick(4)
    assert contact_age_ms(cluster, B) <= 3 * TICK_MS


def test_a_follower_that_gets_nothing_but_heartbeats_knows_that_it_is_behind() -> None:
    # R6. While a snapshot is on its way, or refused, only heartbeats come.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.isolate(C)
    cluster.propose(A, *[b"x"] * 50)
    for replica_id in (A, B):
        cluster[replica_id].take_snapshot()
    cluster.heal()
    cluster.dropped_kinds.add(MessageKind.SNAPSHOT)

    cluster.tick(20)

    contact = cluster.node(C).quorum_contact
    assert contact is not None
    assert contact_age_ms(cluster, C) <= 3 * TICK_MS
    assert contact.index == cluster.node(A).commit_index > cluster.node(C).applied_index


def test_a_new_learner_knows_that_it_is_behind() -> None:
    # R6.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.propose(A, *[b"x"] * 50)
    cluster[A].take_snapshot()
    cluster.join(D)
    cluster.node(A).propose_membership(AddLearner(D))
    cluster.dropped_kinds.add(MessageKind.SNAPSHOT)

    cluster.tick(20)

    contact = cluster.node(D).quorum_contact
    assert contact is not None
    assert contact.index == cluster.node(A).commit_index > cluster.node(D).applied_index


def test_a_leader_is_behind_until_its_own_first_entry_is_committed() -> None:
    # R6. Until then it does not know how far its predecessor committed (paper, section 8).
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.dropped_kinds.add(MessageKind.APPEND_REPLY)
    cluster.node(B).step(Message(MessageKind.TIMEOUT_NOW, A, B, cluster.node(B).term))
    cluster.settle()
    cluster.tick(3)

    node = cluster.node(B)
    assert node.role is Role.LEADER
    contact = node.quorum_contact
    assert contact is not None
    assert contact.index == node.last_index > node.applied_index
