"""One replica as one object: what it says on each input, as a leader and as a follower."""

from collections.abc import Iterable
from typing import TypeVar

from director.core.commands import (
    AbortRun,
    AdvanceRun,
    ApplyManifest,
    Command,
    GrantOwnership,
    RecordVerdicts,
    RunKind,
    StageName,
)
from director.core.director import TICK_MS, Director
from director.core.effects import (
    Answer,
    Barrier,
    DirectGroup,
    DirectProbes,
    Effect,
    GrantLease,
    Note,
    Propose,
    Publish,
    RefuseLease,
    Relay,
)
from director.core.events import ManifestApplied, Repeated
from director.core.ids import AgentId, FencingToken, ReplicaId
from director.core.inputs import (
    Asked,
    BarrierPassed,
    Committed,
    DrainAsked,
    Input,
    LeadershipGained,
    LeadershipLost,
    LeaseAsked,
    MoveAsked,
    ProposalFailed,
    ReplicaReported,
    Reported,
    SnapshotInstalled,
    Ticked,
)
from director.core.observations import AgentReport, Readings, ReplicaReport, RoundTrip
from director.core.reasons import Reason
from director.core.state import State
from director.core.timing import DEFAULT_TIMING
from director.core.topology import Automation
from director.routing.table import Verdict
from tests.core.builders import (
    AP,
    CHAT,
    CHAT_GROUP,
    D0,
    D1,
    DOMAINS,
    EU,
    REGIONS,
    US,
    a_report,
    a_service_reading,
    a_stamp,
    a_start,
    a_topology,
    a_verdict,
    an_owned_ledger,
    says,
)
from tests.core.world import World, a_settled_world

T = TypeVar("T")
PASSES = says(a_service_reading(True))


class Shell:
    """Feeds one director and keeps its place in the log."""

    def __init__(self, replica_id: ReplicaId = D0, state: State | None = None) -> None:
        self.director = Director(replica_id, DOMAINS[replica_id], DEFAULT_TIMING, DOMAINS, state)
        self.index = 0 if state is None else state.applied_index
        self.now_ms = 1_000
        self.counter = 0

    def give(self, given: Input, *, at_ms: int | None = None) -> tuple[Effect, ...]:
        self.now_ms = self.now_ms if at_ms is None else at_ms
        return self.director.receive(given, now_ms=self.now_ms)

    def commit(self, command: Command | None) -> tuple[Effect, ...]:
        self.index += 1
        return self.give(Committed(self.index, command))

    def commit_all(self, effects: Iterable[Effect]) -> list[Effect]:
        """Commit whatever is proposed, and what that leads to."""
        seen: list[Effect] = []
        queue = list(effects)
        while queue:
            effect = queue.pop(0)
            seen.append(effect)
            if isinstance(effect, Propose):
                queue += self.commit(effect.command)
        return seen

    def hear(self, *regions: str, readings: Readings | None = PASSES) -> list[Effect]:
        self.counter += 1
        effects: list[Effect] = []
        for region_id in regions:
            report = a_report(region_id, readings, counter=self.counter, heard_by=D0)  # type: ignore[arg-type]
            effects += self.give(Reported(report))
        return effects


def only(effects: Iterable[Effect], kind: type[T]) -> list[T]:
    return [each for each in effects if isinstance(each, kind)]


def a_shell(*, leads: bool = True) -> Shell:
    """A replica with a manifest."""
    shell = Shell()
    shell.commit(ApplyManifest(a_stamp(), a_topology()))
    if leads:
        shell.give(LeadershipGained(4))
    return shell


def an_owning_shell() -> Shell:
    """A leader that has heard everybody and made Europe the home."""
    shell = a_shell()
    shell.hear(*REGIONS)
    shell.commit_all(shell.give(Ticked(), at_ms=1_100))
    assert shell.director.state.groups[0].home == EU
    return shell


# -- the log ---------------------------------------------------------------------------------------


def test_a_manifest_is_noted_published_and_directed_on_every_replica() -> None:
    shell = Shell()

    effects = shell.commit(ApplyManifest(a_stamp(), a_topology()))

    assert only(effects, Note) == [Note(ManifestApplied(1, 1))]
    assert [each.region_id for each in only(effects, DirectProbes)] == sorted(REGIONS)
    assert only(effects, DirectGroup) == [
        DirectGroup(CHAT_GROUP, CHAT, None, FencingToken(1, 0), demote=False)
    ]
    assert [each.table.config_revision for each in only(effects, Publish)] == [1]


def test_an_entry_that_changes_nothing_for_agents_or_watchers_sends_them_nothing() -> None:
    shell = a_shell(leads=False)

    assert shell.commit(None) == ()
    effects = shell.commit(AdvanceRun(a_stamp(), "no/1", StageName.FENCING, StageName.PROMOTING))  # type: ignore[arg-type]
    assert [type(each) for each in effects] == [Note]


def test_fencing_asks_the_home_to_stop_and_the_grant_names_the_new_one() -> None:
    shell = Shell(state=an_owned_ledger().state)
    shell.commit(a_start(automatic=False))
    run = shell.director.state.runs[0]
    (told,) = shell.director.directives_for(EU, (CHAT,))[:1]
    assert told == DirectGroup(CHAT_GROUP, CHAT, EU, FencingToken(1, 1), demote=True)

    effects = shell.commit(
        AdvanceRun(a_stamp(), run.run_id, StageName.FENCING, StageName.PROMOTING)
    )

    assert only(effects, DirectGroup) == [
        DirectGroup(CHAT_GROUP, CHAT, US, FencingToken(1, 2), demote=False)
    ]


def test_a_planned_move_tells_the_home_beforehand_and_takes_it_back_with_the_move() -> None:
    shell = Shell(state=an_owned_ledger().state)
    token = FencingToken(1, 1)
    effects = shell.commit(a_start(kind=RunKind.SWITCHOVER, automatic=False))
    assert only(effects, DirectGroup) == [
        DirectGroup(CHAT_GROUP, CHAT, EU, token, demote=False, prepare=True)
    ]
    run_id = shell.director.state.runs[0].run_id

    fencing = shell.commit(AdvanceRun(a_stamp(), run_id, StageName.DRAINING, StageName.FENCING))
    assert only(fencing, DirectGroup) == [DirectGroup(CHAT_GROUP, CHAT, EU, token, demote=True)]

    taken_back = Shell(state=an_owned_ledger().state)
    taken_back.commit(a_start(kind=RunKind.SWITCHOVER, automatic=False))
    effects = taken_back.commit(AbortRun(a_stamp(), run_id, StageName.DRAINING, "CANCELLED"))
    assert only(effects, DirectGroup) == [DirectGroup(CHAT_GROUP, CHAT, EU, token, demote=False)]


def test_an_agent_that_connects_is_told_its_groups_and_its_probes_and_no_others() -> None:
    shell = Shell(state=an_owned_ledger().state)

    assert [type(each) for each in shell.director.directives_for(EU, (CHAT,))] == [
        DirectGroup,
        DirectProbes,
    ]
    assert [type(each) for each in shell.director.directives_for(EU, ())] == [DirectProbes]


def test_a_snapshot_is_published_and_directed_like_the_entries_it_stands_for() -> None:
    shell = Shell()
    state = an_owned_ledger().state

    effects = shell.give(SnapshotInstalled(state))

    assert shell.director.state is state
    assert only(effects, DirectGroup) == [
        DirectGroup(CHAT_GROUP, CHAT, EU, FencingToken(1, 1), demote=False)
    ]
    assert [each.table.revision for each in only(effects, Publish)] == [state.changed_index]


def test_director_time_goes_on_between_entries_and_is_not_the_replica_s_uptime() -> None:
    shell = Shell()
    shell.give(Ticked(), at_ms=9_000_000)
    shell.give(Committed(1, a_verdict(Verdict.UP, at_ms=5_000)), at_ms=9_000_100)

    assert shell.director.director_now_ms(now_ms=9_000_100) == 5_000
    assert shell.director.director_now_ms(now_ms=9_000_350) == 5_250


def test_a_leader_asks_to_be_woken_ten_times_a_second() -> None:
    shell = a_shell()
    assert shell.director.wake_at_ms() == 1_000 + TICK_MS

    shell.give(Ticked(), at_ms=1_100)
    assert shell.director.wake_at_ms() == 1_200


def test_a_follower_asks_to_be_woken_only_to_relay_in_time() -> None:
    shell = a_shell(leads=False)
    shell.give(Ticked(), at_ms=1_000)
    assert shell.director.wake_at_ms() == 1_000 + DEFAULT_TIMING.relay_ms

    # The first report goes at once; the next one waits until half a second has passed.
    first = shell.give(Reported(a_report(EU, PASSES, heard_by=D0)), at_ms=1_200)
    assert len(only(first, Relay)) == 1
    second = shell.give(Reported(a_report(EU, PASSES, heard_by=D0, counter=2)), at_ms=1_300)
    assert only(second, Relay) == []
    assert shell.director.wake_at_ms() == 1_200 + DEFAULT_TIMING.relay_ms


def test_a_follower_that_is_elected_plans_at_once() -> None:
    shell = a_shell(leads=False)
    shell.give(Ticked(), at_ms=1_000)

    shell.give(LeadershipGained(4), at_ms=1_050)

    assert shell.director.wake_at_ms() == 1_050 + TICK_MS


# -- followers -------------------------------------------------------------------------------------


def test_a_follower_proposes_nothing_and_relays_what_it_heard_with_its_age() -> None:
    shell = a_shell(leads=False)
    shell.give(Ticked(), at_ms=1_000)
    first = shell.hear(EU)
    assert [len(each.reports) for each in only(first, Relay)] == [1]

    assert shell.hear(EU, readings=None) == [], "nothing new, so it waits for the half second"
    effects = shell.give(Ticked(), at_ms=1_500)

    (relay,) = only(effects, Relay)
    assert [(each.region_id, each.counter, each.age_ms) for each in relay.reports] == [(EU, 2, 500)]
    assert only(effects, Propose) == []


def test_a_follower_relays_a_change_for_the_worse_at_once() -> None:
    shell = a_shell(leads=False)
    shell.hear(EU)

    effects = shell.hear(EU, readings=says(a_service_reading(False)))

    assert [len(each.reports) for each in only(effects, Relay)] == [1]


def test_what_others_relayed_is_not_relayed_again() -> None:
    shell = a_shell(leads=False)

    effects = shell.give(Reported(a_report(EU, PASSES, heard_by=D1)))

    assert only(effects, Relay) == []


def test_a_replica_that_does_not_lead_says_so_to_operators_and_agents() -> None:
    shell = a_shell(leads=False)
    asked = Asked("r1", "maria", "", DrainAsked(EU, drained=True))
    lease = LeaseAsked(EU, AgentId("agent"), CHAT_GROUP, FencingToken(1, 1), 1, True, True)

    assert [each.reason for each in only(shell.give(asked), Answer)] == [Reason.NOT_LEADER]
    assert [each.reason for each in only(shell.give(lease), RefuseLease)] == ["NOT_LEADER"]


# -- the leader ------------------------------------------------------------------------------------


def test_a_leader_proposes_verdicts_and_the_first_owner_and_neither_twice() -> None:
    shell = a_shell()
    shell.hear(*REGIONS)

    effects = shell.give(Ticked(), at_ms=1_100)

    proposed = only(effects, Propose)
    assert [type(each.command) for each in proposed] == [RecordVerdicts, GrantOwnership]
    assert {each.term for each in proposed} == {4}
    assert only(shell.give(Ticked(), at_ms=1_200), Propose) == []


def test_a_proposal_that_failed_is_made_again_on_the_next_tick_and_not_at_once() -> None:
    shell = a_shell()
    shell.hear(*REGIONS)
    first = only(shell.give(Ticked(), at_ms=1_100), Propose)

    # While office is handed over every proposal is refused at once: made again, it would spin.
    for each in first:
        effects = shell.give(ProposalFailed(each.proposal_id, Reason.OUTCOME_UNKNOWN))
        assert only(effects, Propose) == []

    effects = shell.give(Ticked(), at_ms=1_200)
    assert [type(each.command) for each in only(effects, Propose)] == [
        type(each.command) for each in first
    ]


def test_the_first_owner_waits_for_the_preferred_region_that_may_only_be_starting() -> None:
    shell = a_shell()
    shell.hear(US, AP)
    early = shell.give(Ticked(), at_ms=5_900)
    assert GrantOwnership not in {type(each.command) for each in only(early, Propose)}

    shell.hear(US, AP)
    late = shell.give(Ticked(), at_ms=6_000)

    grants = [each.command for each in only(late, Propose)]
    assert [each.home for each in grants if isinstance(each, GrantOwnership)] == [US]


def test_a_lease_is_granted_after_a_barrier_and_not_looked_at_as_news() -> None:
    shell = an_owning_shell()
    lease = LeaseAsked(EU, AgentId("agent"), CHAT_GROUP, FencingToken(1, 1), 7, True, False)

    (barrier,) = shell.give(lease, at_ms=1_110)
    assert barrier == Barrier(1, 4)
    effects = shell.give(BarrierPassed(1, 4), at_ms=1_120)

    (granted,) = effects
    assert isinstance(granted, GrantLease)
    assert (granted.request_number, granted.ttl_ms) == (7, 4_000)


def test_a_leader_without_office_leaves_its_callers_with_an_unknown_outcome() -> None:
    shell = an_owning_shell()
    shell.give(Asked("r1", "maria", "", DrainAsked(US, drained=True)))

    (answer,) = shell.give(LeadershipLost(4))

    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.reason) == ("r1", Reason.OUTCOME_UNKNOWN)
    assert not shell.director.is_leader


def test_an_asked_change_is_proposed_with_its_request_id_and_answered_by_its_event() -> None:
    shell = an_owning_shell()

    effects = shell.give(Asked("r1", "maria", "rack 7", DrainAsked(US, drained=True)))

    (proposed,) = only(effects, Propose)
    stamp = proposed.command.stamp
    assert (stamp.request_id, stamp.actor, stamp.reason) == ("r1", "maria", "rack 7")
    shell.commit(proposed.command)
    again = shell.give(Asked("r1", "maria", "rack 7", DrainAsked(US, drained=True)))
    assert [type(each.event) for each in only(again, Note)] == [Repeated]


def test_a_request_is_only_checked_when_asked_to_validate() -> None:
    shell = an_owning_shell()
    drain = DrainAsked(US, drained=True)

    effects = shell.give(Asked("r1", "maria", "", drain, validate_only=True))

    (answer,) = only(effects, Answer)
    assert (answer.reason, answer.message) == (
        None,
        "us-east1 would be drained; it carries nothing",
    )
    assert only(effects, Propose) == []


def test_the_end_of_a_drain_that_never_began_is_answered_without_an_entry() -> None:
    shell = an_owning_shell()

    effects = shell.give(Asked("r1", "maria", "", DrainAsked(US, drained=False)))

    assert effects == (Answer("r1", None, f"{US} is in service already"),)


def test_a_dry_run_of_a_move_names_the_region_the_loss_and_the_time() -> None:
    world = a_settled_world()
    move = MoveAsked(RunKind.FAILOVER, CHAT, None)
    asked = Asked("r1", "maria", "power", move, validate_only=True)

    effects = world.chief.director.receive(asked, now_ms=world.now_ms, wall_ms=0)

    (answer,) = only(effects, Answer)
    assert answer.reason is None
    assert answer.message.startswith("chat would move from eu-north1 to us-east1; loses at most ")


def test_a_refused_request_never_reaches_the_log() -> None:
    shell = an_owning_shell()

    effects = shell.give(Asked("r1", "maria", "", MoveAsked(RunKind.FAILOVER, CHAT, EU)))

    assert [each.reason for each in only(effects, Answer)] == [Reason.NOTHING_TO_DO]
    assert only(effects, Propose) == []


def test_a_request_whose_proposal_failed_is_answered_with_why() -> None:
    shell = an_owning_shell()
    effects = shell.give(Asked("r1", "maria", "", DrainAsked(US, drained=True)))
    (proposed,) = only(effects, Propose)

    effects = shell.give(ProposalFailed(proposed.proposal_id, Reason.STORAGE_FULL))

    assert [(each.request_id, each.reason) for each in only(effects, Answer)] == [
        ("r1", Reason.STORAGE_FULL)
    ]


def test_a_change_of_round_trips_is_published_on_the_timer() -> None:
    shell = an_owning_shell()
    measured = Readings(PASSES.services, (), (RoundTrip(US, 95_000),), ())
    shell.hear(EU, readings=measured)

    effects = shell.give(Ticked(), at_ms=1_300)

    assert [each.table.round_trips for each in only(effects, Publish)] == [((EU, US, 95_000),)]
    assert only(shell.give(Ticked(), at_ms=1_400), Publish) == []


def test_a_new_leader_relays_nothing_of_what_it_heard_before() -> None:
    shell = a_shell(leads=False)
    shell.hear(EU)
    shell.hear(EU, readings=None)

    shell.give(LeadershipGained(5))
    shell.give(LeadershipLost(5))

    assert only(shell.give(Ticked(), at_ms=9_000), Relay) == []


def test_a_new_leader_takes_silence_for_nothing_before_everybody_could_be_heard() -> None:
    shell = Shell(state=an_owned_ledger().state)
    shell.hear(*REGIONS)
    for region_id in (AP, EU, US):
        shell.commit(a_verdict(Verdict.UP, region_id))
    # Ten seconds without a word to this replica; then it leads.
    shell.give(LeadershipGained(5), at_ms=11_000)

    early = shell.give(Ticked(), at_ms=12_999)
    assert only(early, Propose) == []
    late = only(shell.give(Ticked(), at_ms=13_000), Propose)
    assert isinstance(late[0].command, RecordVerdicts)
    assert {each.verdict for each in late[0].command.changes} == {Verdict.UNKNOWN}


# -- views -----------------------------------------------------------------------------------------


def test_status_shows_owner_token_verdicts_bounds_and_prediction() -> None:
    world = a_settled_world()

    (view,) = world.chief.director.service_views(now_ms=world.now_ms)

    assert (view.owner, view.serving, str(view.token), view.active_run) == (EU, EU, "1.1", None)
    assert (view.rto_ms, view.rpo_ms, view.predicted_rto_ms) == (20_000, 10_000, 4_881)
    assert (view.automation, view.automation_note) == (Automation.AUTOMATIC, "")
    assert [(each.region_id, each.verdict, each.gate_open) for each in view.sites] == [
        (AP, Verdict.UP, False),
        (EU, Verdict.UP, True),
        (US, Verdict.UP, False),
    ]
    ap, eu, us = view.sites
    assert (eu.loss_bound_ms, eu.ineligibility) == (None, "")
    for site in (ap, us):
        # 100 ms of lag in a sample up to half a second old, and the way here.
        assert site.loss_bound_ms is not None
        assert 100 <= site.loss_bound_ms <= 800
        assert (site.lag_ms, site.ineligibility) == (100, "")


def test_status_calls_no_gate_open_on_the_word_of_an_agent_that_is_gone() -> None:
    world = a_settled_world()
    wait_ms = DEFAULT_TIMING.lease_wait_ms

    (soon,) = world.chief.director.service_views(now_ms=world.now_ms + wait_ms // 2)
    (late,) = world.chief.director.service_views(now_ms=world.now_ms + wait_ms)

    assert [each.gate_open for each in soon.sites] == [False, True, False]
    assert [each.gate_open for each in late.sites] == [False, False, False]


def test_status_says_why_automation_does_less_than_declared() -> None:
    world = a_settled_world(domains=dict.fromkeys(DOMAINS, "fd-one"))

    (view,) = world.chief.director.service_views(now_ms=world.now_ms)

    assert view.automation is Automation.APPROVE
    assert "1 failure domains" in view.automation_note


def test_status_names_what_holds_a_failover_back() -> None:
    world = a_settled_world()
    world.lag.update({(CHAT, US): None, (CHAT, AP): None})
    world.run_for(40_000)
    world.kill_region(EU)
    world.run_for(10_000)

    (view,) = world.chief.director.service_views(now_ms=world.now_ms)

    assert view.automation_note.startswith("no region may take chat over")
    # The last known samples are forty seconds older than the fault.
    assert [each.ineligibility for each in view.sites] == ["RPO_EXCEEDED", "", "RPO_EXCEEDED"]


def test_a_follower_does_not_show_a_loss_of_nothing() -> None:
    world = a_settled_world()
    world.kill_region(EU)
    world.run_for(3_200)
    follower = next(
        each for each in world.replicas.values() if each.is_alive and each is not world.chief
    )

    (view,) = follower.director.service_views(now_ms=world.now_ms)

    bounds = [each.loss_bound_ms for each in view.sites if each.region_id != EU]
    assert all(bound is not None and bound >= 4_000 for bound in bounds)


def test_region_views_show_drains_agents_and_the_age_of_their_last_word() -> None:
    world = a_settled_world()
    world.ask(DrainAsked(US, drained=True))
    world.run_for(100)

    views = {
        each.region_id: each for each in world.chief.director.region_views(now_ms=world.now_ms)
    }

    assert [views[each].drained for each in REGIONS] == [False, False, False, True]
    assert {views[each].agent_count for each in REGIONS} == {1}
    assert all((views[each].heard_age_ms or 0) <= 600 for each in REGIONS)
    assert views[US].jurisdiction == "US"


def test_a_region_that_was_never_heard_has_no_age() -> None:
    shell = a_shell()

    views = shell.director.region_views(now_ms=2_000)

    assert {each.heard_age_ms for each in views} == {None}


# -- cost ------------------------------------------------------------------------------------------


def test_a_thousand_agents_that_say_good_first_words_wait_for_the_next_tick() -> None:
    shell = an_owning_shell()
    due_ms = shell.director.wake_at_ms()

    for number in range(1_000):
        report = AgentReport(EU, AgentId(f"pod-{number}"), "boot", 1, PASSES, D0, 0, 0)
        assert shell.give(Reported(report), at_ms=1_150) == ()

    assert shell.director.wake_at_ms() == due_ms


def test_a_replica_report_is_looked_at_at_once() -> None:
    world = World()
    report = ReplicaReport(D1, DOMAINS[D1], pushed_index=5, watcher_count=0)

    world.give(D1, ReplicaReported(report))

    assert world.chief.director._log.replicas[D1].report.pushed_index == 5


def test_a_home_that_is_lost_again_soon_after_it_came_back_is_replaced() -> None:
    world = World(a_topology())
    world.lag = {(CHAT, AP): None, (CHAT, US): None}
    world.start_telling()
    world.run_until(10_000)
    world.cut(EU)
    world.run_for(15_000)
    assert world.runs() == (), "nobody knows how far the copies are behind"
    world.heal(EU)
    world.lag = {}
    world.run_for(2_200)
    state = world.chief.director.state
    assert state.verdicts[CHAT, EU].verdict is Verdict.DOWN, "it was well for too short a time"

    world.cut(EU)
    world.run_for(15_000)

    (run,) = world.runs()
    assert (run.source, run.automatic, run.stage) == (EU, True, StageName.SETTLED)
    # What the home may have written since the copies were measured, until its lease ended.
    assert run.loss_bound_ms is not None
    assert 4_000 < run.loss_bound_ms < 6_000
