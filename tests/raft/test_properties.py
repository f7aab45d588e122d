"""The pure parts against slow and obvious versions of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from director.raft.config import RaftConfig
from director.raft.log import ReplicaLog
from director.raft.messages import (
    Entry,
    Membership,
    ReplicaId,
    SnapshotMark,
    decode_membership,
    encode_membership,
)
from director.raft.progress import Progress
from director.raft.quorum import VoteResult, agreed, committed_index, quorum_size, vote_result
from director.raft.storage import LogCompactedError, MemoryLog, bounded
from tests.raft.cluster import A, B, C, D, E, a_log, a_membership, an_entry

ALL = (A, B, C, D, E)
VOTERS = st.lists(st.sampled_from(ALL), min_size=1, unique=True).map(tuple)
MATCHES = st.dictionaries(st.sampled_from(ALL), st.integers(0, 5))


@given(MATCHES, VOTERS)
def test_committed_index_is_the_highest_index_a_majority_holds(
    match: dict[ReplicaId, int], voters: tuple[ReplicaId, ...]
) -> None:
    def is_held_by_majority(index: int) -> bool:
        return 2 * sum(match.get(voter, 0) >= index for voter in voters) > len(voters)

    assert committed_index(match, voters) == max(i for i in range(6) if is_held_by_majority(i))


@given(MATCHES, VOTERS, VOTERS)
def test_a_joint_membership_agrees_on_what_both_halves_agree_on(
    match: dict[ReplicaId, int], voters: tuple[ReplicaId, ...], outgoing: tuple[ReplicaId, ...]
) -> None:
    membership = Membership(voters=voters, voters_outgoing=outgoing)

    together = agreed(membership, lambda voter: match.get(voter, 0))

    assert together == min(committed_index(match, voters), committed_index(match, outgoing))


@given(st.dictionaries(st.sampled_from(ALL), st.booleans()), VOTERS)
def test_an_election_is_decided_when_no_further_vote_can_change_it(
    votes: dict[ReplicaId, bool], voters: tuple[ReplicaId, ...]
) -> None:
    granted = sum(votes.get(voter, False) for voter in voters)
    open_count = sum(voter not in votes for voter in voters)

    result = vote_result(votes, Membership(voters=voters))

    assert (result is VoteResult.WON) == (2 * granted > len(voters))
    assert (result is VoteResult.LOST) == (2 * (granted + open_count) <= len(voters))


@given(st.integers(1, 50))
def test_any_two_quorums_share_a_voter_and_none_is_larger_than_needed(count: int) -> None:
    assert 2 * quorum_size(count) > count
    assert 2 * (quorum_size(count) - 1) <= count


@given(VOTERS, st.lists(st.sampled_from(ALL), unique=True))
def test_a_membership_survives_its_encoding(
    voters: tuple[ReplicaId, ...], others: list[ReplicaId]
) -> None:
    learners = tuple(other for other in others if other not in voters)
    membership = Membership(voters=voters, learners=learners)

    assert decode_membership(encode_membership(membership)) == membership


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[]", b"{}", b'{"version":2}', b'{"version":1,"voters":"a"}',
     b'{"version":1,"voters":[1],"voters_outgoing":[],"learners":[]}',
     b'{"version":1,"voters":["a","a"],"voters_outgoing":[],"learners":[]}'],
)  # fmt: skip
def test_what_is_no_membership_of_a_known_version_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"membership|field|twice"):
        decode_membership(payload)


def test_a_replica_cannot_vote_and_learn_at_once() -> None:
    with pytest.raises(ValueError, match="vote and learn"):
        Membership(voters=(A,), learners=(A,))


@pytest.mark.parametrize(
    "faulty",
    [{"election_ticks": 2}, {"heartbeat_ticks": 0}, {"inflight_count_max": 0},
     {"append_bytes_max": 0}, {"uncommitted_bytes_max": 0}, {"promote_lag_entries_max": -1},
     {"replica_id": ""}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(faulty: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(faulty))):
        RaftConfig(**({"replica_id": A} | faulty))  # type: ignore[arg-type]


TERMS = st.lists(st.integers(1, 4), max_size=8).map(sorted)


@given(TERMS, TERMS)
def test_the_meeting_point_never_lies_below_where_two_logs_agree(
    one: list[int], other: list[int]
) -> None:
    # Two logs whose common part is as long as their terms agree from the start.
    common = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    log = ReplicaLog(a_log(a_membership(A), *one))

    index, _ = log.meeting_point(min(len(one), len(other)), other[-1] if other else 0)

    assert index >= common


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=20))
def test_the_log_behaves_like_a_list_whether_its_end_is_durable_or_not(
    steps: list[tuple[int, int]],
) -> None:
    """Each step keeps some entries, appends some, and every other time makes them durable."""
    durable = MemoryLog(a_membership(A))
    log = ReplicaLog(durable)
    model: list[Entry] = []
    for term, (wanted, count) in enumerate(steps, start=1):
        kept = min(wanted, len(model))
        fresh = tuple(an_entry(kept + n, term) for n in range(1, count + 1))
        log.append(fresh)
        model[kept:] = fresh
        if term % 2:
            _, entries = log.hand_out()
            durable.append(entries)
            log.note_durable(None)

        assert log.last_index == len(model)
        assert [log.term_at(i) for i in range(1, len(model) + 2)] == [
            *(entry.term for entry in model),
            None,
        ]
        assert log.entries(1, len(model) + 1, 1 << 20) == tuple(model)


def test_what_is_cut_off_while_it_is_written_is_not_taken_for_durable() -> None:
    durable = MemoryLog(a_membership(A))
    log = ReplicaLog(durable)
    log.append((an_entry(1), an_entry(2), an_entry(3)))
    _, writing = log.hand_out()
    log.append((an_entry(2, term=2),))

    durable.append(writing)
    log.note_durable(None)

    assert log.durable_index == 1
    assert log.hand_out() == (None, (an_entry(2, term=2),))


@given(st.lists(st.integers(0, 50), max_size=10), st.integers(1, 300))
def test_a_batch_is_the_longest_that_fits_but_never_empty(sizes: list[int], bytes_max: int) -> None:
    entries = [an_entry(n, payload=b"x" * size) for n, size in enumerate(sizes, start=1)]

    batch = bounded(entries, bytes_max)

    costs = [size + 32 for size in sizes]
    assert batch == tuple(entries[: len(batch)])
    assert len(batch) <= 1 or sum(costs[: len(batch)]) <= bytes_max
    assert len(batch) == len(entries) or sum(costs[: len(batch) + 1]) > bytes_max
    assert bool(batch) == bool(entries)


def test_the_log_in_memory_keeps_the_promises_of_the_port() -> None:
    log = a_log(a_membership(A), 1, 1, 2, 2)

    log.record_snapshot(SnapshotMark(3, 2, a_membership(A)))
    log.compact_to(2)

    assert (log.first_index(), log.last_index()) == (3, 4)
    assert [log.term_at(i) for i in range(1, 6)] == [None, 1, 2, 2, None]
    with pytest.raises(LogCompactedError):
        log.entries(2, 4, 100)
    with pytest.raises(ValueError, match="no snapshot covers"):
        log.compact_to(4)
    with pytest.raises(ValueError, match="does not extend"):
        log.append([an_entry(9)])
    with pytest.raises(ValueError, match="gap"):
        log.append([an_entry(4), an_entry(6)])


def test_a_snapshot_that_does_not_fit_the_log_replaces_all_of_it() -> None:
    log = a_log(a_membership(A), 1, 1, 1)

    log.install_snapshot(SnapshotMark(2, 2, a_membership(B)))

    assert (log.first_index(), log.last_index(), log.term_at(2)) == (3, 2, 2)


@given(st.lists(st.tuples(st.sampled_from("srmu"), st.integers(0, 30)), max_size=30))
def test_what_is_known_to_match_lies_below_what_is_sent_next(steps: list[tuple[str, int]]) -> None:
    progress = Progress(next_index=10, inflight_count_max=4, is_learner=False)
    match_index = 0
    for kind, index in steps:
        match kind:
            case "s":
                if not progress.is_paused:
                    progress.note_sent(progress.next_index, 1)
            case "r":
                progress.note_refused(index, index // 2)
            case "m":
                progress.note_match(min(index, progress.next_index - 1))
                progress.become_replicate()
            case _:
                progress.become_probe()
        assert progress.match_index < progress.next_index
        assert progress.match_index >= match_index
        assert len(progress.inflight) <= 4
        match_index = progress.match_index
