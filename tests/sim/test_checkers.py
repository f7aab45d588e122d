"""The checkers themselves: each accepts what is right and refuses what it is there for."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from director.core.commands import (
    Evidence,
    RunKind,
    SetOverride,
    SetRegionDrained,
    StageName,
    Stamp,
    VerdictChange,
)
from director.core.events import (
    OwnershipGranted,
    RegionDrainSet,
    RunAdvanced,
    VerdictsRecorded,
)
from director.core.ids import FencingToken, GroupId, RunId
from director.core.routes import compile_table
from director.core.state import Group, Phase, Run, Spent, State, VerdictRecord
from director.raft.messages import (
    Entry,
    EntryKind,
    HardState,
    Membership,
    Message,
    MessageKind,
    ReplicaId,
)
from director.raft.storage import MemoryLog
from director.routing.table import Override, RegionId, ServiceId, ServiceMode, Verdict
from director.service.codec import encode_command
from tests.sim.checkers.evidence import Evidence as EvidenceChecker
from tests.sim.checkers.failback import Failback
from tests.sim.checkers.fenced import Fenced
from tests.sim.checkers.flap import Flap
from tests.sim.checkers.fresh_routes import FreshRoutes
from tests.sim.checkers.legal_moves import LegalMoves
from tests.sim.checkers.linear_reads import LinearReads
from tests.sim.checkers.minority import Minority
from tests.sim.checkers.monotonic_tokens import MonotonicTokens
from tests.sim.checkers.never_drains_last import NeverDrainsLast
from tests.sim.checkers.no_lost_write import NoLostWrite, appended, common_length
from tests.sim.checkers.one_effect import OneEffect
from tests.sim.checkers.one_leader_per_term import OneLeaderPerTerm
from tests.sim.checkers.one_owner import OneOwner
from tests.sim.checkers.one_run import OneRun
from tests.sim.checkers.overrides_logged import OverridesLogged
from tests.sim.checkers.owner_declared import OwnerDeclared
from tests.sim.checkers.proven_leases import ProvenLeases
from tests.sim.checkers.raft_core import RaftCore
from tests.sim.checkers.replay import Replay
from tests.sim.checkers.revoked_before_promoted import RevokedBeforePromoted
from tests.sim.checkers.route_never_empty import RouteNeverEmpty
from tests.sim.checkers.rto import Rto
from tests.sim.checkers.same_state import SameState
from tests.sim.checkers.stable_leader import StableLeader
from tests.sim.checkers.velocity import Velocity
from tests.sim.checkers.watch import Watch
from tests.sim.checkers.write_intervals import WriteIntervals
from tests.sim.checkers.writes_hold import WritesHold
from tests.sim.cluster import topology
from tests.sim.options import Options

FIRST, SECOND, THIRD = (1, 1), (1, 2), (1, 3)
CHAT = ServiceId("chat")
EU, US, AP = RegionId("eu-west1"), RegionId("us-east1"), RegionId("ap-south1")
GROUP = Group(GroupId("chat/0"), CHAT, 1, EU, EU)
TOPOLOGY = topology(Options.draw(1))
DECLARED = State(
    applied_index=9, changed_index=9, revision=1, topology=TOPOLOGY, groups=(GROUP,), now_ms=10_000
)
RUN = Run(
    run_id=RunId("chat/1"),
    kind=RunKind.FAILOVER,
    group_id=GROUP.group_id,
    service_id=CHAT,
    source=EU,
    target=US,
    source_epoch=1,
    stage=StageName.CONFIRMING,
    automatic=True,
    started_at_ms=10_000,
    suspected_at_ms=9_000,
    stage_at_ms=10_000,
    rto_ms=60_000,
    rpo_ms=5_000,
    loss_bound_ms=1_000,
)
MOVED = replace(GROUP, epoch=2, home=US)
BEGUN = replace(DECLARED, runs=(RUN,), run_count=1)
GRANTED = replace(
    BEGUN, runs=(replace(RUN, stage=StageName.PROMOTING),), groups=(MOVED,), applied_index=12
)


def with_verdicts(state: State, **verdicts: Verdict) -> State:
    """Record verdicts on regions by the first letters of their names, at the state's time."""
    names = {"eu": EU, "us": US, "ap": AP}
    records = dict(state.verdicts)
    for name, verdict in verdicts.items():
        records[CHAT, names[name]] = VerdictRecord(verdict, state.now_ms, state.applied_index)
    return replace(state, verdicts=MappingProxyType(records))


def active_active(state: State) -> State:
    """The same with a service that all regions serve."""
    service = replace(state.topology.services[0], mode=ServiceMode.ACTIVE_ACTIVE)
    return replace(state, topology=replace(state.topology, services=(service,)), groups=())


# -- authority and fencing -------------------------------------------------------------------------


def test_permits_of_two_regions_may_follow_each_other_but_not_overlap() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)
    checker.permitted("us-east1", SECOND, now_ms=350, until_ms=600)
    checker.permitted("eu-west1", FIRST, now_ms=400, until_ms=800, service_id="orders")

    with pytest.raises(AssertionError, match="although us-east1 may under"):
        checker.permitted("eu-west1", THIRD, now_ms=599, until_ms=800)


def test_two_regions_never_share_a_token() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)

    with pytest.raises(AssertionError, match="both eu-west1 and us-east1"):
        checker.permitted("us-east1", FIRST, now_ms=900, until_ms=1_000)


def test_a_write_is_acknowledged_only_before_its_permit_ends() -> None:
    checker = OneOwner()
    checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)
    checker.acknowledged("eu-west1", FIRST, now_ms=349)

    with pytest.raises(AssertionError, match="its permit ended at 350"):
        checker.acknowledged("eu-west1", FIRST, now_ms=350)
    with pytest.raises(AssertionError, match="without any permit"):
        checker.acknowledged("us-east1", FIRST, now_ms=350)


def test_no_write_under_an_old_token_follows_one_under_a_newer() -> None:
    checker = WriteIntervals()
    checker.acknowledged("eu-west1", FIRST, now_ms=100)
    checker.acknowledged("us-east1", SECOND, now_ms=200)
    checker.acknowledged("eu-west1", FIRST, now_ms=201, service_id="orders")

    assert checker.last == (SECOND, 200)
    assert checker.last_of("orders") == (FIRST, 201)
    with pytest.raises(AssertionError, match="after the first write under"):
        checker.acknowledged("eu-west1", FIRST, now_ms=202)


def test_no_epoch_is_granted_twice() -> None:
    checker = MonotonicTokens()
    token = FencingToken(1, 1)
    checker.changed(DECLARED, BEGUN)
    checker.noted("d0", OwnershipGranted(4, GROUP.group_id, EU, token))
    checker.noted("d1", OwnershipGranted(4, GROUP.group_id, EU, token))
    checker.noted("d1", OwnershipGranted(5, GroupId("orders/0"), EU, token))

    with pytest.raises(AssertionError, match="was granted at index 9"):
        checker.noted("d0", RunAdvanced(9, RUN.run_id, StageName.PROMOTING, token))


def test_an_agent_never_forgets_a_token() -> None:
    checker = MonotonicTokens()
    checker.kept("eu-west1", SECOND)

    with pytest.raises(AssertionError, match="now keeps"):
        checker.kept("eu-west1", FIRST)


def test_a_token_belongs_to_one_home_on_every_replica() -> None:
    checker = MonotonicTokens()
    checker.applied("d0", State(groups=(GROUP,)))

    with pytest.raises(AssertionError, match="was given to eu-west1 and us-east1"):
        checker.applied("d1", State(groups=(replace(GROUP, home=US),)))


def test_an_agent_acts_under_what_its_disk_holds_and_under_nothing_else() -> None:
    checker = Fenced()
    checker.kept("eu-west1", FIRST, home="eu-west1", demoted_through=None)
    checker.acts("eu-west1", FIRST)

    with pytest.raises(AssertionError, match="its disk has only"):
        checker.acts("eu-west1", SECOND)
    checker.kept("eu-west1", SECOND, home="us-east1", demoted_through=FIRST)
    with pytest.raises(AssertionError, match="although it knows"):
        checker.acts("eu-west1", FIRST)
    with pytest.raises(AssertionError, match="belongs to us-east1"):
        checker.acts("eu-west1", SECOND)
    with pytest.raises(AssertionError, match="forgot that it promised"):
        checker.kept("eu-west1", THIRD, home="eu-west1", demoted_through=None)


def test_an_agent_keeps_its_promise_not_to_act() -> None:
    checker = Fenced()
    checker.kept("eu-west1", FIRST, home="eu-west1", demoted_through=FIRST)

    with pytest.raises(AssertionError, match="promised never to act"):
        checker.acts("eu-west1", FIRST)


def test_ownership_is_granted_only_when_the_last_permit_elsewhere_has_ended() -> None:
    good, bad = RevokedBeforePromoted(), RevokedBeforePromoted()
    for checker in (good, bad):
        checker.changed(State(), DECLARED, now_ms=50)
        checker.permitted("eu-west1", FIRST, now_ms=100, until_ms=350)

    good.changed(BEGUN, GRANTED, now_ms=350)
    with pytest.raises(AssertionError, match="eu-west1 may write until 350 ms"):
        bad.changed(BEGUN, GRANTED, now_ms=349)
    with pytest.raises(AssertionError, match="had been granted to us-east1"):
        good.permitted("eu-west1", FIRST, now_ms=400, until_ms=500)


def test_a_lease_is_asked_for_on_fresh_proof_of_work() -> None:
    checker = ProvenLeases()
    checker.wrote("eu-west1", started_ms=1_000)
    with pytest.raises(AssertionError, match="last passed its probe at None"):
        checker.asked("eu-west1", now_ms=1_500)
    checker.passed("eu-west1", started_ms=2_500)
    checker.asked("eu-west1", now_ms=2_900)

    with pytest.raises(AssertionError, match="last wrote durably at 1000"):
        checker.asked("eu-west1", now_ms=3_200)


def test_ownership_moves_only_by_the_steps_of_a_run() -> None:
    checker = LegalMoves()
    checker.changed(DECLARED, BEGUN)
    fencing = replace(BEGUN, runs=(replace(RUN, stage=StageName.FENCING),))
    checker.changed(BEGUN, fencing)
    checker.changed(fencing, GRANTED)

    with pytest.raises(AssertionError, match="by no run"):
        checker.changed(DECLARED, replace(DECLARED, groups=(MOVED,)))
    with pytest.raises(AssertionError, match="went from confirming to promoting"):
        checker.changed(BEGUN, GRANTED)
    with pytest.raises(AssertionError, match="went from epoch 1 to 3"):
        checker.changed(fencing, replace(GRANTED, groups=(replace(MOVED, epoch=3),)))
    with pytest.raises(AssertionError, match="it is with us-east1 at 2"):
        checker.changed(replace(DECLARED, groups=(MOVED,)), replace(BEGUN, groups=(MOVED,)))


# -- the log ---------------------------------------------------------------------------------------


def entry(index: int, term: int, payload: bytes = b"") -> Entry:
    return Entry(index, term, EntryKind.NORMAL, payload)


def a_log(*entries: Entry, term: int = 1, vote: str | None = None) -> MemoryLog:
    log = MemoryLog(Membership(voters=(ReplicaId("d0"), ReplicaId("d1"), ReplicaId("d2"))))
    log.append(entries)
    log.set_hard_state(HardState(term, None if vote is None else ReplicaId(vote)))
    return log


VOTERS = ("d0", "d1", "d2")


def test_what_commits_is_on_the_disks_of_a_majority_and_is_the_same_for_all() -> None:
    checker = RaftCore()
    checker.started("d0", a_log(entry(1, 1)))
    checker.started("d1", a_log(entry(1, 1)))
    checker.started("d2", a_log())
    checker.committed("d0", (entry(1, 1),), VOTERS)

    with pytest.raises(AssertionError, match="somebody took another one"):
        checker.committed("d1", (entry(1, 1, b"other"),), VOTERS)
    checker.persisted("d0", a_log(entry(1, 1), entry(2, 1)))
    with pytest.raises(AssertionError, match="which of d0, d1, d2 only d0 has on disk"):
        checker.committed("d0", (entry(2, 1),), VOTERS)
    with pytest.raises(AssertionError, match="takes entry 3 after"):
        checker.committed("d2", (entry(3, 1),), VOTERS)


def test_what_commits_while_a_voter_joins_needs_a_majority_of_either_membership() -> None:
    def held_by_two() -> RaftCore:
        checker = RaftCore()
        checker.started("d0", a_log(entry(1, 1)))
        checker.started("d1", a_log(entry(1, 1)))
        checker.started("d2", a_log())
        return checker

    held_by_two().committed("d0", (entry(1, 1),), ("d0", "d2"), VOTERS)

    with pytest.raises(AssertionError, match="which of d0, d2 only d0, d1 has on disk"):
        held_by_two().committed("d0", (entry(1, 1),), ("d0", "d2"), ("d0", "d2"))


def test_a_leader_has_every_entry_that_was_committed_before() -> None:
    checker = RaftCore()
    checker.started("d0", a_log(entry(1, 1)))
    checker.started("d1", a_log(entry(1, 1)))
    checker.started("d2", a_log())
    checker.committed("d0", (entry(1, 1),), VOTERS)
    checker.led("d1", 2)

    with pytest.raises(AssertionError, match="leads term 3 without entry 1"):
        checker.led("d2", 3)


def test_a_replica_promises_only_what_is_on_its_disk_and_never_votes_twice() -> None:
    checker = RaftCore()
    checker.started("d0", a_log(entry(1, 2), term=2, vote="d1"))
    vote = Message(MessageKind.VOTE_REPLY, ReplicaId("d0"), ReplicaId("d1"), 2)
    reply = Message(MessageKind.APPEND_REPLY, ReplicaId("d0"), ReplicaId("d1"), 2, index=1)
    checker.sent("d0", vote)
    checker.sent("d0", reply)

    with pytest.raises(AssertionError, match="votes for d2 in term 2"):
        checker.sent("d0", replace(vote, recipient=ReplicaId("d2")))
    with pytest.raises(AssertionError, match="its disk ends at 1"):
        checker.sent("d0", replace(reply, index=2))
    with pytest.raises(AssertionError, match="voted for d1 and for d2"):
        checker.persisted("d0", a_log(entry(1, 2), term=2, vote="d2"))
    with pytest.raises(AssertionError, match="went back from term 2 to 1"):
        checker.persisted("d0", a_log(entry(1, 1), term=1))


def test_history_may_be_written_anew_only_when_a_majority_lost_its_disks() -> None:
    watch = Watch()
    watch.know({each: f"{each}-domain" for each in VOTERS})
    for each in VOTERS:
        watch.raft_started(each, a_log(entry(1, 1), entry(2, 1)))
    watch.committed("d0", (entry(1, 1), entry(2, 1)), VOTERS)
    for each in VOTERS:
        watch.disk_replaced(each)
        watch.raft_started(each, a_log(entry(1, 1), entry(2, 4), term=4))
    watch.committed("d1", (entry(1, 1), entry(2, 4)), VOTERS)

    assert watch.raft.entries[2].term == 4
    with pytest.raises(AssertionError, match="somebody took another one"):
        watch.committed("d2", (entry(1, 1), entry(2, 5)), VOTERS)


def test_a_disk_that_learnt_everything_again_is_no_excuse_for_a_history_written_anew() -> None:
    watch = Watch()
    watch.know({each: f"{each}-domain" for each in VOTERS})
    history = (entry(1, 1), entry(2, 1))
    for each in VOTERS:
        watch.raft_started(each, a_log(*history))
    watch.committed("d0", history, VOTERS)
    watch.led("d0", 1)
    for each in VOTERS[1:]:
        watch.disk_replaced(each)
        watch.raft_started(each, a_log())
        watch.persisted(each, a_log(*history))

    assert watch.raft.replaced_count == 0
    with pytest.raises(AssertionError, match="somebody took another one"):
        watch.committed("d1", (entry(1, 1), entry(2, 4)), VOTERS)
    with pytest.raises(AssertionError, match="both led term 1"):
        watch.led("d1", 1)


def test_a_read_sees_what_was_committed_when_it_was_asked() -> None:
    checker = LinearReads()
    checker.asked("d0", 1, committed_index=7)
    checker.confirmed("d0", 1, index=7)
    checker.asked("d0", 2, committed_index=8)

    with pytest.raises(AssertionError, match="8 was committed when it was asked"):
        checker.confirmed("d0", 2, index=7)


def test_replicas_at_one_index_have_one_state() -> None:
    checker = SameState()
    checker.applied("d0", State(applied_index=7, now_ms=1))
    checker.applied("d1", State(applied_index=7, now_ms=1))

    with pytest.raises(AssertionError, match="differ at index 7 in now_ms"):
        checker.applied("d2", State(applied_index=7, now_ms=2))


def test_a_term_has_one_leader() -> None:
    checker = OneLeaderPerTerm()
    checker.led("d0", 3)
    checker.led("d0", 3)

    with pytest.raises(AssertionError, match="both led term 3"):
        checker.led("d1", 3)


def heartbeat_reply(sender: str, term: int = 3) -> Message:
    return Message(MessageKind.HEARTBEAT_REPLY, ReplicaId(sender), ReplicaId("d0"), term)


def test_a_lease_is_granted_on_word_of_a_majority_that_is_younger_than_the_request() -> None:
    checker = Minority()
    checker.voter_count = 3
    checker.led("d0", 3, now_ms=100)
    checker.asked("d0", "eu-west1", "a", "chat/0", 1, 200)
    checker.heard("d0", heartbeat_reply("d1"), sent_ms=210, now_ms=220)
    checker.answered("d0", "eu-west1", "a", "chat/0", 1, is_granted=True)
    checker.asked("d0", "eu-west1", "a", "chat/0", 2, 300)
    checker.heard("d0", heartbeat_reply("d1"), sent_ms=299, now_ms=320)

    with pytest.raises(AssertionError, match="was sent at 299 ms"):
        checker.answered("d0", "eu-west1", "a", "chat/0", 2, is_granted=True)
    with pytest.raises(AssertionError, match="never asked for"):
        checker.answered("d0", "eu-west1", "a", "chat/0", 3, is_granted=True)


def test_a_leader_that_nobody_answers_does_not_lead_for_long() -> None:
    checker = Minority()
    checker.voter_count = 3
    for now_ms in range(0, 4_000, 50):
        checker.led("d0", 3, now_ms=now_ms)
        checker.heard("d0", heartbeat_reply("d1"), sent_ms=now_ms, now_ms=now_ms)
        checker.heard("d0", heartbeat_reply("d2", term=2), sent_ms=now_ms, now_ms=now_ms)

    for now_ms in range(4_000, 6_200, 50):
        checker.led("d0", 3, now_ms=now_ms)
    with pytest.raises(AssertionError, match="a majority last answered at 3950 ms"):
        checker.led("d0", 3, now_ms=6_200)


def test_the_log_applied_again_makes_the_same_state() -> None:
    command = SetRegionDrained(Stamp(5, request_id="r"), RegionId("nowhere"), drained=True)
    entries = {1: entry(1, 1), 2: entry(2, 1, encode_command(command))}
    entries[1] = replace(entries[1], kind=EntryKind.EMPTY)
    watch = Watch()
    checker = Replay()
    with pytest.raises(AssertionError, match="does not make the state of index 2"):
        checker.finish(entries, replace(watch.newest, applied_index=2, now_ms=5))

    checker.finish({1: entries[1]}, State(applied_index=1))
    assert checker.replayed_count == 3


# -- data ------------------------------------------------------------------------------------------


def test_copies_are_compared_record_by_record() -> None:
    records = appended(appended(appended((), FIRST), FIRST), SECOND)

    assert records == ((FIRST, 2), (SECOND, 3))
    assert common_length(records, ((FIRST, 2), (THIRD, 9))) == 2
    assert common_length(records, ((FIRST, 1), (SECOND, 3))) == 1
    assert common_length(records, records) == 3
    assert common_length(records, ()) == 0


def moved_by(run: Run) -> NoLostWrite:
    """Three writes in Europe at 1 000, 2 000 and 3 000 ms; then ``run`` moves the service."""
    checker = NoLostWrite()
    checker.changed(State(), DECLARED)
    for position in (1, 2, 3):
        records = ((FIRST, position),)
        checker.acknowledged("eu-west1", FIRST, now_ms=1_000 * position, records=records)
    granted = replace(GRANTED, runs=(replace(run, stage=StageName.PROMOTING),))
    checker.changed(BEGUN, granted)
    return checker


def test_a_failover_loses_no_more_than_its_bound_and_says_how_much() -> None:
    checker = moved_by(RUN)
    checker.acknowledged("us-east1", SECOND, now_ms=9_000, records=((FIRST, 1), (SECOND, 2)))
    checker.acknowledged("us-east1", SECOND, now_ms=9_100, records=((FIRST, 1), (SECOND, 3)))

    assert [(each.count, each.span_ms) for each in checker.losses if each.count] == [(2, 1_000)]
    with pytest.raises(AssertionError, match="3 writes of 2000 ms were lost"):
        moved_by(RUN).acknowledged("us-east1", SECOND, now_ms=9_000, records=((SECOND, 1),))
    with pytest.raises(AssertionError, match="unknown loss bound"):
        moved_by(replace(RUN, loss_bound_ms=None)).acknowledged(
            "us-east1", SECOND, now_ms=9_000, records=((FIRST, 3), (SECOND, 4))
        )


def test_a_switchover_loses_nothing() -> None:
    planned = replace(RUN, kind=RunKind.SWITCHOVER, automatic=False)
    moved_by(planned).acknowledged(
        "us-east1", SECOND, now_ms=9_000, records=((FIRST, 3), (SECOND, 4))
    )

    with pytest.raises(AssertionError, match=r"1 writes of 0 ms were lost by chat/1 .* planned"):
        moved_by(planned).acknowledged(
            "us-east1", SECOND, now_ms=9_000, records=((FIRST, 2), (SECOND, 3))
        )


def moved_twice(first: Run, second: Run) -> NoLostWrite:
    """Three writes in Europe; ``first`` gives the service to us-east1, which writes nothing."""
    checker = moved_by(first)
    given = replace(
        GRANTED,
        runs=(
            replace(first, stage=StageName.SETTLED),
            replace(second, stage=StageName.PROMOTING),
        ),
        groups=(replace(GROUP, epoch=3, home=AP, serving=US),),
    )
    checker.changed(GRANTED, given)
    return checker


def test_what_a_run_lost_counts_against_it_although_its_target_never_wrote() -> None:
    second = replace(RUN, run_id=RunId("chat/2"), source=US, target=AP, source_epoch=2)
    tight, planned = replace(second, loss_bound_ms=0), replace(second, kind=RunKind.SWITCHOVER)
    records = ((FIRST, 1), (THIRD, 2))
    for later in (tight, planned):
        checker = moved_twice(RUN, later)
        checker.acknowledged("ap-south1", THIRD, now_ms=9_000, records=records)

        assert [(each.count, each.span_ms) for each in checker.losses if each.count] == [(2, 1_000)]

    with pytest.raises(AssertionError, match="2 writes of 1000 ms were lost"):
        moved_twice(replace(RUN, loss_bound_ms=500), tight).acknowledged(
            "ap-south1", THIRD, now_ms=9_000, records=records
        )
    with pytest.raises(AssertionError, match="chat/1 began with an unknown loss bound"):
        moved_twice(replace(RUN, loss_bound_ms=None), second).acknowledged(
            "ap-south1", THIRD, now_ms=9_000, records=records
        )


def test_an_owner_keeps_its_own_writes_and_nobody_shows_lost_ones_again() -> None:
    with pytest.raises(AssertionError, match="lost writes of its own"):
        moved_by(RUN).acknowledged("eu-west1", FIRST, now_ms=3_100, records=((FIRST, 3),))
    with pytest.raises(AssertionError, match="shows 2 writes again"):
        moved_by(RUN).acknowledged(
            "us-east1", SECOND, now_ms=9_000, records=((FIRST, 5), (SECOND, 6))
        )


# -- routing ---------------------------------------------------------------------------------------


def test_routes_keep_an_owner_with_an_endpoint_and_never_go_back() -> None:
    owned = compile_table(DECLARED, ())
    checker = RouteNeverEmpty()
    checker.published("d0", owned)

    assert checker.owner("d0") == "eu-west1"
    with pytest.raises(AssertionError, match="went back"):
        checker.published("d0", replace(owned, revision=8))
    unowned = compile_table(replace(DECLARED, groups=()), ())
    with pytest.raises(AssertionError, match="no owner"):
        checker.published("d0", replace(unowned, revision=10))
    service = owned.services[0]
    nowhere = replace(service, sites=tuple(replace(each, endpoints=()) for each in service.sites))
    with pytest.raises(AssertionError, match="nowhere"):
        checker.published("d0", replace(owned, revision=11, services=(nowhere,)))


def test_an_active_active_service_keeps_a_site() -> None:
    state = active_active(DECLARED)
    RouteNeverEmpty().published("d0", compile_table(state, ()))
    records = {
        (CHAT, site.region_id): VerdictRecord(Verdict.DOWN, 1, 1)
        for site in state.topology.services[0].sites
    }

    nowhere = replace(state, verdicts=MappingProxyType(records))
    with pytest.raises(AssertionError, match="has no site for chat"):
        RouteNeverEmpty().published("d0", compile_table(nowhere, ()))


def test_a_drain_leaves_a_healthy_site() -> None:
    names = [site.region_id for site in TOPOLOGY.services[0].sites]
    before = replace(DECLARED, drained_regions=tuple(names[:-2]))
    checker = NeverDrainsLast()
    checker.changed(before, replace(before, drained_regions=tuple(names[:-1])))

    with pytest.raises(AssertionError, match="has only"):
        checker.changed(before, replace(before, drained_regions=tuple(names)))
    forced = {(CHAT, each): Override.FORCE_DOWN for each in names}
    with pytest.raises(AssertionError, match="1 must remain"):
        checker.changed(before, replace(before, overrides=MappingProxyType(forced)))
    without = replace(TOPOLOGY.services[0], sites=TOPOLOGY.services[0].sites[:1])
    down = with_verdicts(DECLARED, ap=Verdict.DOWN)
    declared = replace(
        down, topology=replace(TOPOLOGY, services=(without,)), revision=down.revision + 1
    )
    with pytest.raises(AssertionError, match="the documents of index 9 leave chat only"):
        checker.changed(down, declared)


def test_what_a_verdict_took_is_not_laid_to_documents_after_a_snapshot() -> None:
    # Whoever began with a snapshot has equal parts in objects of its own.
    before = replace(DECLARED, drained_regions=(RegionId("eu-north1"),))
    after = replace(
        with_verdicts(before, eu=Verdict.DOWN, us=Verdict.DOWN, ap=Verdict.DOWN),
        topology=replace(TOPOLOGY),
        overrides=MappingProxyType(dict(before.overrides)),
        drained_regions=(*before.drained_regions,),
    )
    assert after.topology is not before.topology

    NeverDrainsLast().changed(before, after)

    first = with_verdicts(active_active(DECLARED), eu=Verdict.DOWN)
    second = with_verdicts(first, eu=Verdict.DOWN, us=Verdict.DOWN)
    velocity = Velocity()
    velocity.changed(active_active(DECLARED), first)
    with pytest.raises(AssertionError, match="were taken out"):
        velocity.changed(first, replace(second, topology=replace(second.topology)))


def test_automation_takes_one_region_out_per_minute() -> None:
    calm = active_active(DECLARED)
    first = with_verdicts(calm, eu=Verdict.DOWN)
    checker = Velocity()
    checker.changed(calm, first)
    late = replace(first, now_ms=first.now_ms + 60_000)
    checker.changed(first, with_verdicts(late, us=Verdict.DOWN))

    soon = replace(late, now_ms=late.now_ms + 59_999)
    with pytest.raises(AssertionError, match="us-east1, ap-south1 were taken out"):
        checker.changed(
            with_verdicts(late, us=Verdict.DOWN),
            with_verdicts(soon, us=Verdict.DOWN, ap=Verdict.DOWN),
        )


def test_routes_of_writes_stay_with_the_owner_until_ownership_moves() -> None:
    checker = WritesHold()
    served = replace(GRANTED, groups=(replace(MOVED, serving=US),))
    ended = replace(served, runs=(replace(RUN, stage=StageName.PUBLISHING),))
    checker.changed(BEGUN, GRANTED)
    checker.changed(GRANTED, ended)
    with pytest.raises(AssertionError, match="before its gate is open"):
        checker.changed(BEGUN, served)
    with pytest.raises(AssertionError, match="us-east1 owns chat/0 and eu-west1 serves"):
        checker.changed(GRANTED, replace(GRANTED, runs=ended.runs))

    checker.published("d0", compile_table(DECLARED, ()))
    checker.published("d0", compile_table(ended, ()))
    with pytest.raises(AssertionError, match="under the same"):
        checker.published("d0", compile_table(replace(ended, groups=(replace(MOVED),)), ()))


def test_a_replica_publishes_what_it_knows_when_it_knows_it() -> None:
    checker = FreshRoutes()
    checker.applied("d0", DECLARED)
    checker.published("d0", compile_table(DECLARED, ()))
    down = replace(with_verdicts(DECLARED, eu=Verdict.DOWN), changed_index=10, applied_index=10)
    checker.applied("d0", down)
    stale = replace(compile_table(DECLARED, ()), revision=10)

    with pytest.raises(AssertionError, match="as UNKNOWN; it knows that it is DOWN"):
        checker.published("d0", stale)
    checker.published("d0", compile_table(down, ()))
    checker.applied("d0", replace(down, changed_index=11, applied_index=11))
    with pytest.raises(AssertionError, match="never published the routes of index 11"):
        checker.applied("d0", replace(down, changed_index=11, applied_index=12))


# -- control ---------------------------------------------------------------------------------------


def test_a_group_has_one_run_and_a_cooldown_after_it() -> None:
    checker = OneRun()
    checker.changed(DECLARED, BEGUN)
    settled = replace(BEGUN, runs=(replace(RUN, stage=StageName.SETTLED),), now_ms=20_000)
    checker.changed(BEGUN, settled)
    second = replace(RUN, run_id=RunId("chat/2"))
    policy = TOPOLOGY.policies[0]
    late = replace(settled, now_ms=20_000 + policy.min_interval_ms)
    checker.changed(settled, replace(late, runs=(*settled.runs, second), run_count=2))

    soon = replace(late, now_ms=late.now_ms - 1)
    with pytest.raises(AssertionError, match="the cooldown is"):
        checker.changed(settled, replace(soon, runs=(*settled.runs, second), run_count=2))
    with pytest.raises(AssertionError, match="two runs at once"):
        checker.changed(BEGUN, replace(BEGUN, runs=(RUN, second), run_count=2))


def test_services_leave_one_region_at_a_time() -> None:
    other = replace(RUN, run_id=RunId("orders/2"), group_id=GroupId("orders/0"), source=AP)

    OneRun().changed(BEGUN, replace(BEGUN, runs=(RUN, replace(other, source=EU)), run_count=2))
    with pytest.raises(AssertionError, match="while services leave"):
        OneRun().changed(BEGUN, replace(BEGUN, runs=(RUN, other), run_count=2))


def test_a_request_is_carried_out_once() -> None:
    checker = OneEffect()
    checker.noted(RegionDrainSet(4, EU, drained=True, request_id="r"))
    checker.noted(RegionDrainSet(4, EU, drained=True, request_id="r"))

    with pytest.raises(AssertionError, match="at index 4 and again at 6"):
        checker.noted(RegionDrainSet(6, EU, drained=True, request_id="r"))


def test_down_lasts_until_good_evidence_has_lasted() -> None:
    down = with_verdicts(DECLARED, eu=Verdict.DOWN)
    checker = Flap()
    later = replace(down, now_ms=down.now_ms + 5_000)
    checker.changed(down, with_verdicts(later, eu=Verdict.UP))

    soon = replace(down, now_ms=down.now_ms + 4_000)
    with pytest.raises(AssertionError, match="again"):
        checker.changed(down, with_verdicts(soon, eu=Verdict.UP))
    with pytest.raises(AssertionError, match="went from DOWN to UNKNOWN"):
        checker.changed(down, with_verdicts(later, eu=Verdict.UNKNOWN))


def test_a_target_that_never_served_is_not_tried_again_at_once() -> None:
    failed = replace(RUN, stage=StageName.ABORTED, ledger=(Spent(Phase.FENCE, 5),))
    before = replace(BEGUN, runs=(failed,))
    again = replace(RUN, run_id=RunId("chat/2"))
    late = replace(before, now_ms=failed.stage_at_ms + 60_000, runs=(failed, again), run_count=2)
    Flap().changed(before, late)

    with pytest.raises(AssertionError, match="which as chat/1 never served"):
        Flap().changed(before, replace(late, now_ms=late.now_ms - 1))


def test_automation_leaves_an_owner_alone_that_is_up_and_writes() -> None:
    checker = Failback()
    checker.acknowledged("eu-west1", now_ms=0)
    checker.acknowledged("eu-west1", now_ms=1_000)
    well = with_verdicts(DECLARED, eu=Verdict.UP)
    begun, fenced, moved = (
        replace(well, runs=(replace(RUN, stage=stage),), run_count=1)
        for stage in (StageName.CONFIRMING, StageName.FENCING, StageName.PROMOTING)
    )
    # It cannot write for long; or the verdict was only on its way.
    checker.changed(begun, fenced, now_ms=5_000)
    checker.changed(fenced, moved, now_ms=5_100)
    checker.changed(begun, fenced, now_ms=1_100)
    found = with_verdicts(fenced, eu=Verdict.DOWN)
    checker.changed(fenced, found, now_ms=1_110)
    checker.changed(found, with_verdicts(moved, eu=Verdict.DOWN), now_ms=1_200)

    # Or it began to write only when its replacement was under way.
    late = Failback()
    late.acknowledged("eu-west1", now_ms=1_000)
    late.changed(begun, fenced, now_ms=1_100)
    late.changed(fenced, moved, now_ms=1_200)

    checker.changed(begun, fenced, now_ms=1_100)
    with pytest.raises(AssertionError, match="which is UP and wrote at 1000 ms"):
        checker.changed(fenced, moved, now_ms=1_200)
    back = replace(RUN, kind=RunKind.FAILBACK, automatic=False)
    with pytest.raises(AssertionError, match="nobody asked for it"):
        checker.changed(well, replace(moved, runs=(back,)), now_ms=9_000)


def test_an_owner_keeps_its_site_whatever_documents_come() -> None:
    checker = OwnerDeclared()
    checker.changed(State(), DECLARED)
    service = TOPOLOGY.services[0]
    elsewhere = tuple(site for site in service.sites if site.region_id != EU)
    poisoned = replace(TOPOLOGY, services=(replace(service, sites=elsewhere),))
    checker.changed(DECLARED, replace(DECLARED, topology=poisoned, groups=()))

    with pytest.raises(AssertionError, match="eu-west1 owns chat/0"):
        checker.changed(DECLARED, replace(DECLARED, topology=poisoned))


def found_down(*evidence: tuple[str, str, int]) -> VerdictsRecorded:
    change = VerdictChange(CHAT, EU, Verdict.DOWN, "", 0, tuple(Evidence(*e) for e in evidence))
    return VerdictsRecorded(9, (change,))


def test_down_rests_on_two_other_regions_or_on_the_region_s_own_word() -> None:
    checker = EvidenceChecker()
    checker.domain_by_director = {"d0": "eu-west1-domain", "d1": "us-east1-domain", "d2": "x"}
    us, ap = ("peer:us-east1", "fail", 90), ("peer:ap-south1", "fail", 90)
    checker.noted(found_down(("self", "fail", 10)), DECLARED)
    checker.noted(found_down(us, ap), DECLARED)
    checker.noted(
        found_down(us, ("director:d1", "silent", 1), ("director:d2", "silent", 1)), DECLARED
    )

    silent = (("director:d0", "silent", 1), ("director:d1", "unheard", 0))
    with pytest.raises(AssertionError, match="alone"):
        checker.noted(found_down(us, *silent), DECLARED)
    with pytest.raises(AssertionError, match="alone"):
        checker.noted(found_down(us, ("peer:ap-south1", "fail", 9_000)), DECLARED)
    with pytest.raises(AssertionError, match="by no peer"):
        checker.noted(
            found_down(("peer:us-east1", "not believed", 1), ("self", "pass", 1)), DECLARED
        )


def test_an_override_is_in_the_log_before_it_has_effect_with_its_actor() -> None:
    command = SetOverride(Stamp(5, request_id="r", actor="ann"), CHAT, EU, Override.FORCE_DOWN)
    entries = {10: entry(10, 1, encode_command(command))}
    forced = MappingProxyType({(CHAT, EU): Override.FORCE_DOWN})
    after = replace(DECLARED, applied_index=10, overrides=forced)
    OverridesLogged().changed(DECLARED, after, entries)

    with pytest.raises(AssertionError, match="before it is committed"):
        OverridesLogged().changed(DECLARED, after, {})
    nobody = replace(command, stamp=Stamp(5, actor="ann"))
    with pytest.raises(AssertionError, match="names nobody"):
        OverridesLogged().changed(DECLARED, after, {10: entry(10, 1, encode_command(nobody))})
    other = replace(command, region_id=US)
    with pytest.raises(AssertionError, match="in force is"):
        OverridesLogged().changed(DECLARED, after, {10: entry(10, 1, encode_command(other))})


# -- liveness --------------------------------------------------------------------------------------


def test_a_new_owner_serves_within_the_objective_when_that_is_possible() -> None:
    checker = Rto()
    checker.region_lost("chat", "eu-west1", now_ms=1_000, budget_ms=5_000)
    checker.acknowledged("eu-west1", now_ms=1_001)
    checker.acknowledged("us-east1", now_ms=4_000)
    checker.look(now_ms=99_000)
    assert checker.times_ms == [3_000]

    checker.region_lost("chat", "us-east1", now_ms=100_000)
    checker.failover_possible(is_possible=False, now_ms=101_000)
    checker.look(now_ms=120_000)
    checker.failover_possible(is_possible=True, now_ms=120_000)
    checker.look(now_ms=125_000)
    with pytest.raises(AssertionError, match="was lost at 100000 ms"):
        checker.look(now_ms=125_001)
    checker.calm()
    checker.look(now_ms=999_000)


def test_a_leader_is_there_soon_after_everything_healed() -> None:
    checker = StableLeader()
    checker.healed(now_ms=1_000)
    checker.led(4, now_ms=2_000)
    checker.led(5, now_ms=3_000)
    checker.look(now_ms=99_000)
    assert (checker.times_ms, checker.terms_after) == ([1_000], 1)

    checker.healed(now_ms=100_000)
    with pytest.raises(AssertionError, match="no leader at 108001 ms"):
        checker.look(now_ms=108_001)
    checker.disturbed()
    checker.look(now_ms=999_000)


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tell",
    [
        lambda watch: watch.permitted("us-east1", FIRST, now_ms=1, until_ms=2),
        lambda watch: watch.acknowledged("us-east1", FIRST, now_ms=1, records=((FIRST, 1),)),
        lambda watch: watch.kept("eu-west1", (0, 1), home=None),
        lambda watch: watch.led("d1", 1),
        lambda watch: watch.applied("d1", replace(DECLARED, now_ms=1)),
        lambda watch: watch.applied("d0", replace(GRANTED, applied_index=10)),
        lambda watch: watch.published("d0", replace(compile_table(DECLARED, ()), revision=1)),
        lambda watch: watch.noted("d0", found_down(("self", "pass", 1))),
        lambda watch: watch.committed("d0", (entry(1, 1),), VOTERS),
    ],
)
def test_whoever_tells_the_watch_of_something_wrong_is_stopped(
    tell: Callable[[Watch], None],
) -> None:
    watch = Watch()
    watch.know({each: f"{each}-domain" for each in VOTERS})
    watch.raft_started("d0", a_log())
    watch.kept("eu-west1", FIRST, home="eu-west1")
    watch.permitted("eu-west1", FIRST, now_ms=0, until_ms=100)
    watch.acknowledged("eu-west1", FIRST, now_ms=1, records=((FIRST, 1),))
    watch.led("d0", 1)
    watch.applied("d0", DECLARED)
    watch.published("d0", compile_table(DECLARED, ()))

    with pytest.raises(AssertionError):
        tell(watch)
