"""Replication and commitment as the Raft paper describes them. Each test cites its section."""

from director.raft.errors import Refusal
from director.raft.messages import HardState, Message, MessageKind
from director.raft.node import Role
from director.raft.progress import ProgressState
from tests.raft.cluster import (
    ELECTION_TICKS,
    A,
    B,
    C,
    Cluster,
    D,
    E,
    a_log,
    a_membership,
    a_node,
    an_entry,
    refusal_of,
)

ABC = a_membership(A, B, C)


def an_append(index: int, log_term: int, *terms: int, commit: int = 0, term: int = 3) -> Message:
    entries = tuple(an_entry(index + n, t) for n, t in enumerate(terms, start=1))
    return Message(
        MessageKind.APPEND,
        B,
        A,
        term,
        index=index,
        log_term=log_term,
        entries=entries,
        commit=commit,
    )


def test_an_entry_on_a_majority_is_committed_and_applied_everywhere() -> None:
    # Paper 5.3.
    cluster = Cluster(ABC)
    cluster.elect(A)

    cluster.propose(A, b"one", b"two")

    assert [replica.payloads for replica in cluster.up()] == [[b"one", b"two"]] * 3


def test_an_entry_on_a_minority_is_not_committed() -> None:
    # Paper 5.3.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.isolate(A)

    cluster.propose(A, b"lost")

    assert node.commit_index == node.last_index - 1


def test_a_leader_commits_nothing_by_its_own_disk_before_that_is_written() -> None:
    # Thesis 10.2.1: it may send first, but must not count itself.
    cluster = Cluster(ABC)
    cluster.crash(C)
    node = cluster.elect(A)
    index, _ = node.propose(b"x")
    (append,) = (m for m in cluster[A].take() if m.entries)

    cluster.node(B).step(append)
    for reply in cluster[B].pump():
        node.step(reply)
    assert node.commit_index == index - 1

    cluster[A].persist()
    cluster[A].finish()
    assert node.commit_index == index


def test_entries_may_leave_before_they_are_durable_but_answers_may_not() -> None:
    # Thesis 10.2.1.
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    node.propose(b"x")
    ready = node.ready()
    follower = cluster.node(B)

    follower.step(next(m for m in ready.messages_now if m.recipient == B))
    answer = follower.ready()

    assert {m.kind for m in ready.messages_now} == {MessageKind.APPEND}
    assert answer.messages_now == ()
    assert [m.kind for m in answer.messages_after_persist] == [MessageKind.APPEND_REPLY]
    assert answer.must_sync


def test_an_older_entry_on_a_majority_is_not_committed_by_counting() -> None:
    # Paper 5.4.2, figure 8 (c): the entry of term 2 is on a majority and may yet be lost.
    abcde = a_membership(A, B, C, D, E)
    logs = {
        A: a_log(abcde, 1, 2, hard_state=HardState(term=3)),
        B: a_log(abcde, 1, 2, hard_state=HardState(term=3)),
        C: a_log(abcde, 1, hard_state=HardState(term=3)),
        D: a_log(abcde, 1, hard_state=HardState(term=3)),
        E: a_log(abcde, 1, 3, hard_state=HardState(term=3)),
    }
    cluster = Cluster(abcde, logs=logs, append_bytes_max=1)
    node = cluster.node(A)
    while node.role is not Role.LEADER:
        node.tick()
        for replica in (cluster[A], cluster[B], cluster[C], cluster[D]):
            for message in replica.pump():
                is_about_votes = "vote" in message.kind
                if message.recipient != E and is_about_votes:
                    cluster.node(message.recipient).step(message)
    assert node.term == 4

    # C and D come to hold index 2, and nobody index 3 of term 4.
    for peer in (B, C, D):
        node.step(Message(MessageKind.APPEND_REPLY, peer, A, 4, index=2))
    assert node.commit_index == 0

    for peer in (B, C):
        node.step(Message(MessageKind.APPEND_REPLY, peer, A, 4, index=3))
    cluster[A].pump()
    assert node.commit_index == 3, "an entry of the own term commits what is before it"


def test_entries_are_refused_when_the_log_does_not_match_before_them() -> None:
    # Paper 5.3, the consistency check.
    node = a_node(a_log(ABC, 1, 1))

    node.step(an_append(2, 2, 3))

    (reply,) = node.ready().messages_after_persist
    assert (reply.reject, reply.index, node.last_index) == (True, 2, 2)


def test_a_conflicting_entry_goes_with_all_that_follow_it() -> None:
    # Paper 5.3.
    node = a_node(a_log(ABC, 1, 1, 1, 1))

    node.step(an_append(1, 1, 2))

    ready = node.ready()
    assert [(entry.index, entry.term) for entry in ready.entries] == [(2, 2)]
    assert node.last_index == 2


def test_entries_the_log_already_holds_are_not_cut_off_by_a_late_message() -> None:
    # Paper, figure 2, AppendEntries 3: only "if an existing entry conflicts".
    node = a_node(a_log(ABC, 1, 1, 1, 1))

    node.step(an_append(1, 1, 1))

    (reply,) = node.ready().messages_after_persist
    assert node.last_index == 4
    assert reply.index == 2, "no more is promised than the message covered"


def test_a_follower_commits_no_further_than_what_it_was_told_matches() -> None:
    # Paper, figure 2, AppendEntries 5: "index of last new entry". Entries 3 and 4 may conflict.
    node = a_node(a_log(ABC, 1, 1, 1, 1))

    node.step(an_append(1, 1, 1, commit=4))

    assert node.commit_index == 2


def test_a_refusal_skips_whole_terms_that_cannot_agree() -> None:
    # Paper, end of 5.3.
    node = a_node(a_log(ABC, 1, 1, 4, 4, 4, 4))

    node.step(an_append(6, 3, 5, term=5))

    (reply,) = node.ready().messages_after_persist
    assert (reply.reject_hint, reply.log_term) == (2, 1)


def test_a_long_diverged_log_is_brought_back_in_a_few_messages() -> None:
    # Paper, end of 5.3: one refusal per conflicting term, not per entry.
    logs = {
        A: a_log(ABC, 1, *[3] * 200, hard_state=HardState(term=3)),
        B: a_log(ABC, 1, *[3] * 200, hard_state=HardState(term=3)),
        C: a_log(ABC, 1, *[2] * 300, hard_state=HardState(term=3)),
    }
    cluster = Cluster(ABC, logs=logs)

    cluster.elect(A)
    cluster.propose(A, b"x")

    refusals = [m for m in cluster.delivered if m.kind is MessageKind.APPEND_REPLY and m.reject]
    assert len(refusals) <= 2
    assert cluster[C].log.last_index() == cluster[A].log.last_index()
    assert cluster[C].payloads[-1] == b"x"


def test_a_leader_never_changes_its_own_log() -> None:
    # Paper 5.3, leader append-only. What an old leader failed to commit, the new one keeps.
    logs = {A: a_log(ABC, 1, 1)}
    cluster = Cluster(ABC, logs=logs)

    cluster.elect(A)

    assert [entry.term for entry in cluster[B].applied] == [1, 1, 2]


def test_a_restarted_leader_still_holds_what_was_committed() -> None:
    # Paper 5.4.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.propose(A, b"kept")
    cluster.crash(A)
    cluster.elect(B)

    cluster.restart(A)
    cluster.tick(2 * ELECTION_TICKS)

    assert cluster[A].payloads == [b"kept"]


def test_a_lost_message_is_found_missing_and_sent_again() -> None:
    # Paper 5.3: retried until everyone stores everything.
    cluster = Cluster(ABC)
    cluster.elect(A)
    cluster.cut((A, C))
    cluster.propose(A, b"one", b"two")

    cluster.heal()
    cluster.tick(3)

    assert cluster[C].payloads == [b"one", b"two"]


def test_sending_ahead_is_bounded_and_continues_with_the_answers() -> None:
    cluster = Cluster(ABC, inflight_count_max=3, append_bytes_max=1)
    node = cluster.elect(A)
    for _ in range(10):
        node.propose(b"x")

    first_batch = [m for m in cluster[A].take() if m.recipient == B and m.entries]
    assert len(first_batch) == 3

    cluster[A].persist()
    cluster[A].finish()
    for message in first_batch:
        cluster.node(B).step(message)
    cluster.settle()
    assert cluster[B].log.last_index() == node.last_index


def test_an_unreachable_replica_is_probed_with_one_message_at_a_time() -> None:
    cluster = Cluster(ABC)
    node = cluster.elect(A)
    cluster.cut((A, B))
    node.report_unreachable(B)
    cluster.propose(A, b"x")

    for _ in range(5):
        cluster.propose(A, b"y")

    view = next(view for view in node.progress() if view.replica_id == B)
    assert (view.state, view.inflight_count) == (ProgressState.PROBE, 0)
    cluster.heal()
    cluster.tick(2)
    assert cluster[B].log.last_index() == node.last_index


def test_proposals_are_refused_by_whoever_does_not_lead() -> None:
    cluster = Cluster(ABC)
    cluster.elect(A)

    assert refusal_of(lambda: cluster.node(B).propose(b"x")) == Refusal.NOT_LEADER
    assert cluster.node(B).last_index == 1


def test_proposals_are_refused_when_too_much_waits_and_accepted_again_later() -> None:
    cluster = Cluster(ABC, uncommitted_bytes_max=100)
    node = cluster.elect(A)
    node.propose(b"x" * 500)
    assert refusal_of(lambda: node.propose(b"y")) == Refusal.TOO_MANY_UNCOMMITTED

    cluster.settle()

    assert refusal_of(lambda: node.propose(b"y")) == "accepted"


def test_a_message_with_a_gap_in_its_entries_is_dropped() -> None:
    node = a_node(a_log(ABC, 1))
    good = an_append(1, 1, 2)

    node.step(Message(MessageKind.APPEND, B, A, 3, index=0, log_term=0, entries=good.entries))

    assert node.last_index == 1
