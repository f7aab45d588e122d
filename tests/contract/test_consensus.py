"""The promises of ``director.consensus.port``, one test each, kept by every engine and fake."""

import asyncio

import pytest

from director.consensus.port import (
    PAYLOAD_BYTES_MAX,
    CommittedEntry,
    ConsensusError,
    LeadershipChanged,
    MembershipRefusedError,
    NotLeaderError,
    OutcomeUnknownError,
    OverloadedError,
    PayloadTooLargeError,
    SnapshotDelivered,
)
from director.runtime.clock import boot_ms
from tests.contract.conftest import GroupMaker
from tests.contract.groups import (
    Group,
    entries,
    eventually,
    last_index,
    leader_of,
    leaderships,
    payloads,
    propose,
)


async def all_delivered(group: Group, index: int) -> None:
    await eventually(
        lambda: all(last_index(group, member_id) >= index for member_id in group.ids),
        f"delivery of entry {index} everywhere",
    )


async def all_active(group: Group, leader_id: str) -> None:
    await eventually(
        lambda: (
            len(group.consensus(leader_id).members()) == len(group.ids)
            and all(member.is_active for member in group.consensus(leader_id).members())
        ),
        "the leader hearing everyone",
    )


def others(group: Group, member_id: str) -> tuple[str, ...]:
    return tuple(other for other in group.ids if other != member_id)


def test_entries_are_delivered_in_order_without_gaps_and_once_on_every_replica(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            indexes = [await propose(group, b"%d" % number) for number in range(20)]

            await all_delivered(group, indexes[-1])

            for member_id in group.ids:
                seen = entries(group, member_id)
                assert [entry.index for entry in seen] == list(range(1, len(seen) + 1))
                assert payloads(group, member_id) == [b"%d" % number for number in range(20)]

    asyncio.run(story())


def test_concurrent_proposals_get_distinct_positions_and_are_delivered_as_answered(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            leader = group.consensus(leader_id)
            term = leader.standing().term

            appended = await asyncio.gather(
                *(leader.propose(b"p%d" % number, term=term) for number in range(200))
            )

            await all_delivered(group, max(entry.index for entry in appended))
            by_index = {entry.index: entry for entry in entries(group, leader_id)}
            assert [by_index[entry.index].payload for entry in appended] == [
                b"p%d" % number for number in range(200)
            ]

    asyncio.run(story())


def test_delivery_resumes_after_a_restart_behind_the_index_asked_for(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            index = [await propose(group, b"%d" % number) for number in range(10)][-1]
            await all_delivered(group, index)
            follower = others(group, await leader_of(group))[0]
            await group.halt(follower)
            await propose(group, b"missed")

            await group.restart(follower, applied_index=index)

            await eventually(lambda: payloads(group, follower) == [b"missed"], "the missed entry")
            assert entries(group, follower)[0].index == index + 1

    asyncio.run(story())


def test_delivery_resumes_after_a_restart_with_the_snapshot(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            index = await propose(group, b"kept in the snapshot")
            await all_delivered(group, index)
            follower = others(group, await leader_of(group))[0]
            await group.consensus(follower).save_snapshot(index, b"state")
            await propose(group, b"behind it")
            await group.halt(follower)

            await group.restart(follower)

            await eventually(lambda: payloads(group, follower) == [b"behind it"], "the rest")
            first = next(
                d for d in group.delivered(follower) if not isinstance(d, LeadershipChanged)
            )
            assert first == SnapshotDelivered(index, b"state")

    asyncio.run(story())


def test_a_proposed_entry_survives_the_leader(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            index = await propose(group, b"acknowledged", among=(leader_id,))

            await group.halt(leader_id)

            await leader_of(group)
            await all_delivered(group, index)
            for member_id in group.ids:
                assert payloads(group, member_id) == [b"acknowledged"]

    asyncio.run(story())


def test_a_proposed_entry_survives_a_restart_of_everyone(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            index = await propose(group, b"acknowledged")
            ids = group.ids
            for member_id in ids:
                await group.halt(member_id)

            for member_id in ids:
                await group.restart(member_id)

            await all_delivered(group, index)
            for member_id in ids:
                assert payloads(group, member_id) == [b"acknowledged"]

    asyncio.run(story())


def test_terms_never_decrease_along_the_log_and_each_has_one_leader(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            index = 0
            for round_number in range(3):
                leader_id = await leader_of(group)
                index = await propose(group, b"%d" % round_number)
                await group.consensus(leader_id).transfer()
            await all_delivered(group, index)

            leader_by_term: dict[int, str] = {}
            for member_id in group.ids:
                terms = [entry.term for entry in entries(group, member_id)]
                assert terms == sorted(terms)
                for change in leaderships(group, member_id):
                    if change.leader_id is not None:
                        known = leader_by_term.setdefault(change.term, change.leader_id)
                        assert known == change.leader_id
            assert len(leader_by_term) >= 3

    asyncio.run(story())


def test_a_follower_refuses_a_proposal_and_appends_nothing(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            term = group.consensus(leader_id).standing().term
            follower = group.consensus(others(group, leader_id)[0])

            with pytest.raises(NotLeaderError):
                await follower.propose(b"refused", term=term)

            index = await propose(group, b"accepted")
            await all_delivered(group, index)
            assert payloads(group, leader_id) == [b"accepted"]

    asyncio.run(story())


def test_a_proposal_of_an_older_term_is_refused_by_the_leader_of_a_newer_one(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            old_term = group.consensus(old_leader).standing().term
            new_leader = others(group, old_leader)[0]
            await group.consensus(old_leader).transfer(new_leader)
            assert await leader_of(group) == new_leader

            with pytest.raises(NotLeaderError):
                await group.consensus(new_leader).propose(b"decided long ago", term=old_term)

            index = await propose(group, b"decided now")
            await all_delivered(group, index)
            assert payloads(group, new_leader) == [b"decided now"]

    asyncio.run(story())


def test_a_proposal_of_a_leader_cut_off_has_an_unknown_outcome_and_commits_at_most_once(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            cut_off = group.consensus(old_leader)
            term = cut_off.standing().term
            group.isolate(old_leader)
            waiting = asyncio.ensure_future(cut_off.propose(b"unknown", term=term))
            rest = others(group, old_leader)

            await propose(group, b"from the majority", among=rest)
            group.heal()

            with pytest.raises(OutcomeUnknownError):
                await waiting
            index = await propose(group, b"after", among=rest)
            await all_delivered(group, index)
            for member_id in group.ids:
                assert payloads(group, member_id).count(b"unknown") <= 1
                assert payloads(group, member_id) == payloads(group, rest[0])

    asyncio.run(story())


def test_a_barrier_on_any_replica_covers_every_write_that_finished_before(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            for number in range(5):
                written = await propose(group, b"%d" % number)

                for member_id in group.ids:
                    assert await group.consensus(member_id).read_barrier() >= written

    asyncio.run(story())


def test_concurrent_barriers_are_all_answered(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            leader, follower = (
                group.consensus(member_id) for member_id in (leader_id, others(group, leader_id)[0])
            )
            term = leader.standing().term
            written = await propose(group, b"written")

            answers = await asyncio.gather(
                *(leader.read_barrier(term=term) for _ in range(50)),
                *(follower.read_barrier() for _ in range(50)),
            )

            assert min(answers) >= written

    asyncio.run(story())


def test_a_leader_cut_off_cannot_confirm_a_read(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            cut_off = group.consensus(old_leader)
            term = cut_off.standing().term
            group.isolate(old_leader)

            with pytest.raises(NotLeaderError):
                await cut_off.read_barrier(term=term)

    asyncio.run(story())


def test_a_barrier_with_a_term_fails_on_a_replica_that_does_not_lead_it(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            term = group.consensus(old_leader).standing().term
            follower = others(group, old_leader)[0]

            with pytest.raises(NotLeaderError):
                await group.consensus(follower).read_barrier(term=term)
            await group.consensus(old_leader).transfer(follower)
            with pytest.raises(NotLeaderError):
                await group.consensus(old_leader).read_barrier(term=term)

    asyncio.run(story())


def test_leadership_gained_is_reported_behind_every_entry_of_earlier_terms(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            for number in range(50):
                await propose(group, b"%d" % number)
            await group.halt(old_leader)

            new_leader = await leader_of(group)

            told = group.delivered(new_leader)
            gained = next(
                position
                for position, delivery in enumerate(told)
                if isinstance(delivery, LeadershipChanged) and delivery.is_leader
            )
            before = [d.payload for d in told[:gained] if isinstance(d, CommittedEntry)]
            assert [payload for payload in before if payload] == [b"%d" % n for n in range(50)]

    asyncio.run(story())


def test_a_leader_cut_off_reports_that_it_lost_its_office(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            term = group.consensus(old_leader).standing().term
            group.isolate(old_leader)
            new_leader = await leader_of(group, among=others(group, old_leader))

            group.heal()

            await eventually(
                lambda: leaderships(group, old_leader)[-1].leader_id == new_leader,
                "word of the new leader",
            )
            assert not group.consensus(old_leader).standing().is_leader
            assert group.consensus(new_leader).standing().term > term

    asyncio.run(story())


def test_a_replica_far_behind_gets_the_snapshot_and_then_the_log(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of(margin_count=0) as group:
            leader_id = await leader_of(group)
            behind, witness = others(group, leader_id)
            await group.halt(behind)
            index = [await propose(group, b"%d" % number) for number in range(10)][-1]
            await all_delivered(group, index)
            for member_id in (leader_id, witness):
                await group.consensus(member_id).save_snapshot(index, b"state of ten")
            after = await propose(group, b"after the snapshot")

            await group.restart(behind)

            await eventually(lambda: last_index(group, behind) >= after, "catching up")
            seen = [d for d in group.delivered(behind) if isinstance(d, SnapshotDelivered)]
            assert seen == [SnapshotDelivered(index, b"state of ten")]
            assert payloads(group, behind)[-1] == b"after the snapshot"
            indexes = [e.index for e in entries(group, behind) if e.index > index]
            assert indexes == list(range(index + 1, index + 1 + len(indexes)))

    asyncio.run(story())


def test_a_saved_snapshot_is_not_delivered_again_to_who_has_applied_it(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of(margin_count=0) as group:
            index = await propose(group, b"old")
            await all_delivered(group, index)
            follower = others(group, await leader_of(group))[0]
            await group.consensus(follower).save_snapshot(index, b"state")
            await group.halt(follower)
            await propose(group, b"new")

            await group.restart(follower, applied_index=index)

            await eventually(lambda: payloads(group, follower) == [b"new"], "the new entry")
            assert not [d for d in group.delivered(follower) if isinstance(d, SnapshotDelivered)]

    asyncio.run(story())


def test_a_learner_receives_the_log_and_does_not_count(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            index = await propose(group, b"before it came")
            leader_id = await leader_of(group)
            address = await group.join("d9")

            await group.consensus(leader_id).add_learner("d9", address)

            await eventually(lambda: last_index(group, "d9") >= index, "the log at the learner")
            assert payloads(group, "d9") == [b"before it came"]
            # Of the voters only the leader is left with the learner: that is no quorum.
            for member_id in others(group, leader_id):
                if member_id != "d9":
                    group.isolate(member_id)
            leader = group.consensus(leader_id)
            term = leader.standing().term
            with pytest.raises(ConsensusError):
                await leader.read_barrier(term=term)

    asyncio.run(story())


def test_a_promoted_learner_counts(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of(1) as group:
            await propose(group, b"alone")
            address = await group.join("d9")
            leader = group.consensus("d0")
            await leader.add_learner("d9", address)
            index = await propose(group, b"with a learner")
            await eventually(lambda: last_index(group, "d9") >= index, "the log at the learner")

            await leader.promote("d9")

            await eventually(
                lambda: [m.member_id for m in leader.members() if m.is_voter] == ["d0", "d9"],
                "two voters",
            )
            await leader.transfer("d9")
            assert await leader_of(group) == "d9"

    asyncio.run(story())


def test_a_removed_member_is_gone_and_the_others_go_on(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            removed, kept = others(group, leader_id)
            await all_active(group, leader_id)

            await group.consensus(leader_id).remove(removed)

            await group.halt(removed)
            await propose(group, b"without it", among=(leader_id, kept))
            await eventually(
                lambda: (
                    [m.member_id for m in group.consensus(leader_id).members()]
                    == sorted((leader_id, kept))
                ),
                "two members",
            )

    asyncio.run(story())


def test_a_removed_leader_hands_over_and_steps_down(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            rest = others(group, old_leader)
            await all_active(group, old_leader)

            await group.consensus(old_leader).remove(old_leader)

            assert await leader_of(group, among=rest) in rest
            await eventually(
                lambda: not group.consensus(old_leader).standing().is_leader, "stepping down"
            )
            await propose(group, b"goes on", among=rest)

    asyncio.run(story())


def test_changes_of_membership_that_cannot_be_are_refused(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            follower = others(group, leader_id)[0]
            leader = group.consensus(leader_id)

            with pytest.raises(MembershipRefusedError):
                await leader.add_learner(follower, "127.0.0.1:1")
            with pytest.raises(MembershipRefusedError):
                await leader.add_learner("d9", "")
            with pytest.raises(MembershipRefusedError):
                await leader.promote(follower)
            with pytest.raises(MembershipRefusedError):
                await leader.remove("d9")
            with pytest.raises(NotLeaderError):
                await group.consensus(follower).remove(leader_id)

    asyncio.run(story())


def test_a_removal_that_would_lose_the_quorum_is_refused(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            silent, kept = others(group, leader_id)
            leader = group.consensus(leader_id)
            # What it said last must be with the leader before its silence is waited for.
            await all_active(group, leader_id)
            await group.halt(silent)
            await eventually(
                lambda: not {m.member_id: m.is_active for m in leader.members()}[silent],
                "the leader noticing",
            )

            # Without the one that answers, one of two voters would be left.
            with pytest.raises(MembershipRefusedError):
                await leader.remove(kept)

            await propose(group, b"the quorum is still there")

    asyncio.run(story())


def test_leadership_is_handed_to_whom_it_is_meant_for(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            old_leader = await leader_of(group)
            target = others(group, old_leader)[1]

            await group.consensus(old_leader).transfer(target)

            assert await leader_of(group) == target
            assert not group.consensus(old_leader).standing().is_leader

    asyncio.run(story())


def test_leadership_is_not_handed_to_strangers_nor_by_followers(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            follower = others(group, leader_id)[0]

            with pytest.raises(MembershipRefusedError):
                await group.consensus(leader_id).transfer("d9")
            with pytest.raises(NotLeaderError):
                await group.consensus(follower).transfer(follower)

            assert await leader_of(group) == leader_id

    asyncio.run(story())


def test_a_transfer_to_a_replica_that_is_cut_off_is_refused_in_time(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            target = others(group, leader_id)[0]
            group.isolate(target)
            await propose(group, b"the target does not hold this", among=(leader_id,))

            with pytest.raises(MembershipRefusedError):
                await group.consensus(leader_id).transfer(target)

            await propose(group, b"still led", among=(leader_id,))

    asyncio.run(story())


def test_a_payload_that_is_too_long_is_refused_and_the_longest_is_not(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            leader = group.consensus(leader_id)
            term = leader.standing().term

            with pytest.raises(PayloadTooLargeError):
                await leader.propose(bytes(PAYLOAD_BYTES_MAX + 1), term=term)
            entry = await leader.propose(b"x" * PAYLOAD_BYTES_MAX, term=term)

            await all_delivered(group, entry.index)
            assert [len(p) for p in payloads(group, leader_id)] == [PAYLOAD_BYTES_MAX]

    asyncio.run(story())


def test_too_many_waiting_proposals_are_refused_and_append_nothing(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of(proposals_max=8) as group:
            leader_id = await leader_of(group)
            leader = group.consensus(leader_id)
            term = leader.standing().term
            group.isolate(leader_id)
            waiting = [
                asyncio.ensure_future(leader.propose(b"waits %d" % number, term=term))
                for number in range(8)
            ]
            await asyncio.sleep(0)

            with pytest.raises(OverloadedError):
                await leader.propose(b"too many", term=term)

            group.heal()
            await asyncio.gather(*waiting, return_exceptions=True)
            index = await propose(group, b"after")
            await all_delivered(group, index)
            assert b"too many" not in payloads(group, leader_id)

    asyncio.run(story())


def test_a_replica_cut_off_knows_since_when_and_the_others_stay_in_touch(
    group_of: GroupMaker,
) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            cut_off, witness = others(group, leader_id)
            await eventually(
                lambda: all(
                    group.consensus(member_id).standing().quorum_contact_at_ms is not None
                    for member_id in group.ids
                ),
                "contact everywhere",
            )
            group.isolate(cut_off)
            await eventually(
                lambda: (
                    group.consensus(leader_id).members() != ()
                    and group.consensus(cut_off).standing().leader_id is None
                ),
                "the replica missing its leader",
            )
            frozen = group.consensus(cut_off).standing().quorum_contact_at_ms
            assert frozen is not None

            await eventually(
                lambda: (
                    (group.consensus(witness).standing().quorum_contact_at_ms or 0) > frozen + 50
                ),
                "contact of the majority going on",
            )

            assert group.consensus(cut_off).standing().quorum_contact_at_ms == frozen

    asyncio.run(story())


class Witness:
    """Notes when entries were committed, and holds what replicas say of their views against it."""

    def __init__(self, group: Group) -> None:
        self.current_ids: set[str] = set()
        self._group = group
        self._committed: list[tuple[int, int]] = []

    async def propose(self, count: int) -> int:
        """Propose ``count`` entries and return the index of the last."""
        index = 0
        for number in range(count):
            index = await propose(self._group, b"%d" % number)
            self._committed.append((boot_ms(), index))
        return index

    def look(self) -> None:
        """Check what every replica says now."""
        self.current_ids.clear()
        for member_id in self._group.ids:
            standing = self._group.consensus(member_id).standing()
            contact_at_ms = standing.quorum_contact_at_ms
            if contact_at_ms is None or standing.applied_index < standing.contact_index:
                continue
            self.current_ids.add(member_id)
            for committed_at_ms, index in self._committed:
                assert committed_at_ms >= contact_at_ms or index <= standing.applied_index, (
                    f"{member_id} has {standing.applied_index} and dates it later than {index}"
                )

    def sees_current(self, member_id: str) -> bool:
        """Check everyone, and whether this one takes its view for that of a contact."""
        self.look()
        return member_id in self.current_ids


def test_a_replica_that_is_behind_never_dates_its_view_as_current(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of(margin_count=0) as group:
            witness = Witness(group)
            leader_id = await leader_of(group)
            behind = others(group, leader_id)[0]
            await witness.propose(5)
            await eventually(lambda: witness.sees_current(behind), "the view being current")
            group.isolate(behind)
            index = await witness.propose(30)
            witness.look()
            await eventually(lambda: last_index(group, leader_id) >= index, "delivery")
            await group.consensus(leader_id).save_snapshot(index, b"state")

            group.heal()

            await eventually(
                lambda: witness.sees_current(behind) and last_index(group, behind) >= index,
                "the view being current again",
            )

    asyncio.run(story())


def test_a_new_member_never_dates_an_empty_view_as_current(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of(margin_count=0) as group:
            witness = Witness(group)
            leader_id = await leader_of(group)
            index = await witness.propose(10)
            await eventually(lambda: last_index(group, leader_id) >= index, "delivery")
            await group.consensus(leader_id).save_snapshot(index, b"state")

            address = await group.join("d9")
            adding = asyncio.ensure_future(group.consensus(leader_id).add_learner("d9", address))

            await eventually(lambda: witness.sees_current("d9"), "the view being current")
            assert last_index(group, "d9") >= index
            await adding

    asyncio.run(story())


def test_a_stopped_replica_delivers_no_more_and_refuses_everything(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            leader = group.consensus(leader_id)
            term = leader.standing().term

            await leader.stop()
            await leader.stop()

            with pytest.raises(ConsensusError):
                await leader.propose(b"too late", term=term)
            assert not leader.standing().is_leader
            # Ended before, so what is left to iterate ends as well.
            assert [d async for d in leader.deliveries()] == []
            await leader_of(group, among=others(group, leader_id))

    asyncio.run(story())


def test_members_say_who_votes_and_who_leads(group_of: GroupMaker) -> None:
    async def story() -> None:
        async with group_of() as group:
            leader_id = await leader_of(group)
            leader = group.consensus(leader_id)
            index = await propose(group, b"held by all")

            await eventually(
                lambda: (
                    all(m.match_index >= index and m.is_active for m in leader.members())
                    and len(leader.members()) == 3
                ),
                "everyone holding it",
            )

            assert [(m.member_id, m.is_voter, m.is_leader) for m in leader.members()] == [
                (member_id, True, member_id == leader_id) for member_id in group.ids
            ]

    asyncio.run(story())
