"""Rendezvous hashing: stable, fair by weight, and moving no more keys than it must."""

import math

from hypothesis import given
from hypothesis import strategies as st

from director.routing.rendezvous import key_hash, mixed, ranked, score

MEMBERS = [("a", 100), ("b", 100), ("c", 100), ("d", 100)]


def winner(key: str, members: list[tuple[str, int]]) -> str:
    return ranked(key, members)[0]


def test_the_hash_is_fixed_for_all_releases_and_machines() -> None:
    assert mixed(key_hash("chat/session-1"), "eu-west1") == 0x2F5DFA7D5C668F22
    assert ranked("chat/session-1", MEMBERS) == ("a", "b", "c", "d")


def test_key_and_member_cannot_stand_for_each_other() -> None:
    assert mixed(key_hash("ab"), "c") != mixed(key_hash("a"), "bc")
    assert mixed(key_hash("a"), "b") != mixed(key_hash("b"), "a")
    assert mixed(key_hash("a"), "a") != 0


@given(key=st.text(max_size=20), gone=st.sampled_from("abcd"))
def test_when_a_member_leaves_only_its_keys_move(key: str, gone: str) -> None:
    left = [member for member in MEMBERS if member[0] != gone]
    before, after = winner(key, MEMBERS), winner(key, left)
    assert before in (after, gone)
    if before == gone:
        assert after == ranked(key, MEMBERS)[1]


@given(key=st.text(max_size=20), order=st.permutations(MEMBERS))
def test_the_order_of_listing_does_not_matter(key: str, order: list[tuple[str, int]]) -> None:
    assert ranked(key, order) == ranked(key, MEMBERS)


@given(key=st.text(max_size=20), more=st.integers(101, 1000))
def test_raising_a_weight_only_draws_keys_to_it(key: str, more: int) -> None:
    raised = [("a", more), *MEMBERS[1:]]
    assert winner(key, raised) in (winner(key, MEMBERS), "a")


def test_members_win_in_proportion_to_their_weights() -> None:
    members = [("heavy", 300), ("light", 100)]
    trials = 20_000
    wins = sum(winner(f"session-{n}", members) == "heavy" for n in range(trials))
    # Five standard deviations of a binomial with p = 0.75; the hash is fixed, so this is too.
    assert abs(wins / trials - 0.75) < 5 * math.sqrt(0.75 * 0.25 / trials)


def test_weight_zero_loses_to_any_other_and_still_has_an_order() -> None:
    for n in range(200):
        assert ranked(f"k{n}", [("spare", 0), ("a", 1)]) == ("a", "spare")
    both = [("spare", 0), ("reserve", 0)]
    assert {winner(f"k{n}", both) for n in range(50)} == {"spare", "reserve"}


@given(key=st.text(), member=st.text(), weight=st.integers(1, 1_000_000))
def test_scores_of_positive_weights_are_positive_and_finite(
    key: str, member: str, weight: int
) -> None:
    assert 0 < score(mixed(key_hash(key), member), weight) < math.inf


@given(bits=st.sampled_from([0, 1, (1 << 64) - 1, 1 << 63]), weight=st.integers(1, 1_000_000))
def test_the_extreme_hashes_have_finite_scores_too(bits: int, weight: int) -> None:
    assert 0 < score(bits, weight) < math.inf
