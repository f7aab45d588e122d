"""Each stage of a run: what it waits for, what ends it, and what takes it back."""

from dataclasses import replace
from itertools import pairwise

import pytest

from director.core.commands import AbortRun, AdvanceRun, RunKind, StageName
from director.core.effects import Barrier
from director.core.failover_run import Memory, RunView, Step, next_step, remember
from director.core.ids import AgentId, FencingToken
from director.core.inputs import LeaseAsked
from director.core.lease import LeaseBook
from director.core.timing import DEFAULT_TIMING
from director.core.topology import ServiceSpec
from director.routing.table import RegionId, Verdict
from tests.core.builders import (
    AP,
    CHAT_GROUP,
    D0,
    D1,
    D2,
    EU,
    STAGES,
    US,
    Watch,
    a_gate,
    a_peer_reading,
    a_policy,
    a_service,
    a_service_reading,
    a_stamp,
    a_start,
    a_verdict,
    an_owned_ledger,
    says,
    says_lag,
    started,
)

NOW_MS = 30_000


class Stage:
    """A run in one stage, under a leader that has seen it there since ``NOW_MS``."""

    def __init__(
        self,
        stage: StageName,
        *,
        kind: RunKind = RunKind.FAILOVER,
        service: ServiceSpec | None = None,
        hold_ms: int = 0,
        covered_at_ms: int | None = None,
    ) -> None:
        self.service = a_service() if service is None else service
        policy = a_policy(hold_ms=hold_ms)
        self.ledger = an_owned_ledger(self.service, policy=policy)
        self.leases = LeaseBook(DEFAULT_TIMING)
        self.leases.gained(1, now_ms=0)
        token = FencingToken(1, 1)
        self.leases.note_epoch(CHAT_GROUP, token, has_older_stopped=True, now_ms=0)
        # The last lease of Europe was granted one second ago: it ends for sure at 33 181.
        self.grant(NOW_MS - 1_000)
        automatic = kind is RunKind.FAILOVER
        start = a_start(at_ms=NOW_MS, kind=kind, automatic=automatic)
        self.run_id = started(self.ledger, replace(start, covered_at_ms=covered_at_ms))
        for before, after in pairwise(STAGES if automatic else (StageName.DRAINING, *STAGES[1:])):
            if before is stage:
                break
            self.ledger.must(AdvanceRun(a_stamp(NOW_MS), self.run_id, before, after))
        assert self.ledger.run().stage is stage
        self.watch = Watch(self.ledger.state.topology)
        self.memory: Memory | None = None
        self.beat(NOW_MS)

    def grant(self, at_ms: int) -> None:
        """Grant Europe a lease."""
        asked = LeaseAsked(EU, AgentId("agent"), CHAT_GROUP, FencingToken(1, 1), 1, True, True)
        (barrier,) = self.leases.ask(asked)
        assert isinstance(barrier, Barrier)
        self.leases.passed(barrier.barrier_id, 1, self.ledger.state, now_ms=at_ms)

    def beat(self, at_ms: int, *, but: tuple[RegionId, ...] = ()) -> None:
        """Every region passes its own probe, and the replicas are in touch."""
        self.watch.replicas_report(at_ms)
        for region_id in (AP, EU, US):
            if region_id not in but:
                gates = [a_gate(is_open=region_id == EU)]
                readings = says(a_service_reading(lag_ms=100), gates=gates)
                self.watch.hear(region_id, readings, at_ms=at_ms)

    def accuse(self, at_ms: int, rounds: int, *observers: RegionId) -> None:
        for observer in observers:
            witness = US if observer == AP else AP
            self.watch.hear(
                observer,
                says(
                    a_service_reading(lag_ms=100),
                    peers=[
                        a_peer_reading(EU, False, rounds=rounds),
                        a_peer_reading(witness, True),
                    ],
                ),
                at_ms=at_ms,
            )

    def step(self, now_ms: int) -> Step | None:
        bench = self.watch.bench(self.ledger.state, self.leases, now_ms)
        run = self.ledger.run(self.run_id)
        self.memory = remember(bench, self.service, run, self.memory)
        group = self.ledger.group()
        return next_step(RunView(bench, run, group, self.service, self.memory, a_stamp(now_ms)))

    def outcome(self, now_ms: int) -> str:
        """Name the next stage, or the cause of an abort, or say "wait"."""
        match self.step(now_ms):
            case None:
                return "wait"
            case AdvanceRun(stage=stage):
                return stage
            case AbortRun(cause=cause):
                return cause


def accused(hold_ms: int = 0, service: ServiceSpec | None = None) -> Stage:
    scene = Stage(StageName.CONFIRMING, hold_ms=hold_ms, service=service)
    scene.accuse(NOW_MS, 10, US, AP)
    assert scene.outcome(NOW_MS) == "wait", "the evidence the run began with is no fresh round"
    return scene


# -- what is lost ----------------------------------------------------------------------------------


def test_the_loss_is_bounded_anew_by_what_the_home_was_granted_meanwhile() -> None:
    # Its peers see Europe fail, and the directors do not: it goes on renewing, and writing.
    scene = accused()
    scene.grant(NOW_MS + 350)
    scene.accuse(NOW_MS + 400, 11, US, AP)

    step = scene.step(NOW_MS + 400)

    assert isinstance(step, AdvanceRun)
    assert step.stage is StageName.FENCING
    # The copy has everything up to 100 ms before its report at NOW_MS.
    assert step.loss_bound_ms == 350 + DEFAULT_TIMING.lease_wait_ms + 100


def test_a_loss_that_outgrew_the_rpo_ends_the_run() -> None:
    scene = accused(service=a_service(rpo_ms=5_000))
    assert 350 + DEFAULT_TIMING.lease_wait_ms + 100 <= 5_000
    scene.grant(NOW_MS + 900)
    scene.accuse(NOW_MS + 1_000, 11, US, AP)

    assert scene.outcome(NOW_MS + 1_000) == "RPO_EXCEEDED"


def test_a_leader_that_knows_no_samples_counts_from_what_the_run_was_begun_with() -> None:
    scene = Stage(StageName.FENCING, covered_at_ms=NOW_MS - 400)
    scene.watch = Watch(scene.ledger.state.topology)
    scene.watch.replicas_report(NOW_MS + 3_200)
    scene.watch.hear(US, says(a_service_reading(lag_ms=None)), at_ms=NOW_MS + 3_200)

    step = scene.step(NOW_MS + 3_200)

    assert isinstance(step, AdvanceRun)
    # The last lease ended for sure at 33 181.
    assert step.loss_bound_ms == 3_181 + 400


# -- confirming ------------------------------------------------------------------------------------


def test_confirming_waits_for_a_fresh_round_of_two_accusers() -> None:
    scene = accused()
    scene.beat(NOW_MS + 200, but=(US, AP))

    scene.accuse(NOW_MS + 300, 11, US)
    assert scene.outcome(NOW_MS + 300) == "wait"
    scene.accuse(NOW_MS + 400, 11, AP)
    assert scene.outcome(NOW_MS + 400) == StageName.FENCING


def test_a_policy_may_hold_the_confirmation_back() -> None:
    scene = accused(hold_ms=2_000)
    for offset_ms in (1_000, 1_999, 2_000):
        scene.beat(NOW_MS + offset_ms, but=(US, AP))
        scene.accuse(NOW_MS + offset_ms, 10 + offset_ms, US, AP)
        expected = "wait" if offset_ms < 2_000 else StageName.FENCING
        assert scene.outcome(NOW_MS + offset_ms) == expected


def test_confirming_ends_when_the_accusers_take_it_back() -> None:
    scene = accused()

    scene.beat(NOW_MS + 400)  # nobody accuses any more

    assert scene.outcome(NOW_MS + 400) == "EVIDENCE_RETRACTED"


def test_a_service_that_failed_by_its_own_agent_is_confirmed_once_it_could_have_recovered() -> None:
    scene = Stage(StageName.CONFIRMING)
    scene.watch.hear(EU, says(a_service_reading(False)), at_ms=NOW_MS)
    assert scene.outcome(NOW_MS) == "wait"

    # Three probes that pass, 250 ms apart, and a beat: until then it may only have paused.
    for offset_ms, expected in ((500, "wait"), (1_250, "wait"), (1_251, StageName.FENCING)):
        scene.beat(NOW_MS + offset_ms, but=(EU,))
        scene.watch.hear(EU, says(a_service_reading(False)), at_ms=NOW_MS + offset_ms)
        assert scene.outcome(NOW_MS + offset_ms) == expected


def test_a_service_of_which_many_passes_are_asked_is_confirmed_before_the_run_gives_up() -> None:
    scene = Stage(StageName.CONFIRMING)
    health = replace(scene.service.health, rise_count=1_000)
    scene.service = replace(scene.service, health=health)
    outcomes = []

    for offset_ms in range(0, 10_001, 500):
        scene.beat(NOW_MS + offset_ms, but=(EU,))
        scene.watch.hear(EU, says(a_service_reading(False)), at_ms=NOW_MS + offset_ms)
        outcomes.append(scene.outcome(NOW_MS + offset_ms))

    ended = next(each for each in outcomes if each != "wait")
    assert ended == StageName.FENCING


def test_a_round_that_passed_confirms_nothing_although_the_peer_still_says_failing() -> None:
    scene = accused()
    scene.beat(NOW_MS + 200, but=(US, AP))

    # The service is back after a pause: each peer needs more passes before it says so.
    for peer in (US, AP):
        recovering = a_peer_reading(EU, False, rounds=11, failing_for_ms=0)
        scene.watch.hear(peer, says(a_service_reading(), peers=[recovering]), at_ms=NOW_MS + 300)
    assert scene.outcome(NOW_MS + 300) == "wait"

    scene.accuse(NOW_MS + 500, 12, US, AP)
    assert scene.outcome(NOW_MS + 500) == StageName.FENCING


def test_silence_is_confirmed_only_after_the_lease_has_run_out() -> None:
    scene = Stage(StageName.CONFIRMING)
    scene.beat(NOW_MS + 2_500, but=(EU,))
    assert scene.outcome(NOW_MS + 2_500) == "wait"

    scene.beat(NOW_MS + 3_180, but=(EU,))
    assert scene.outcome(NOW_MS + 3_180) == "wait", "its lease ends at 3 181"
    assert scene.outcome(NOW_MS + 3_181) == StageName.FENCING


def test_silence_is_not_confirmed_by_a_leader_that_has_just_begun_to_look() -> None:
    scene = Stage(StageName.CONFIRMING)
    scene.beat(NOW_MS + 4_000, but=(EU,))

    assert scene.outcome(NOW_MS + 4_000) == "wait"
    assert scene.outcome(NOW_MS + 4_499) == "wait"
    assert scene.outcome(NOW_MS + 4_500) == StageName.FENCING


def test_any_beat_of_a_silent_agent_ends_the_matter() -> None:
    scene = Stage(StageName.CONFIRMING)
    scene.beat(NOW_MS + 2_500, but=(EU,))
    assert scene.outcome(NOW_MS + 2_500) == "wait"

    # Its agent began anew and has not probed anything yet, but it is there.
    scene.watch.hear(EU, says(a_service_reading(None)), at_ms=NOW_MS + 2_600)

    assert scene.outcome(NOW_MS + 2_600) == "EVIDENCE_RETRACTED"


def test_evidence_that_neither_holds_nor_is_taken_back_ends_the_run_after_ten_seconds() -> None:
    scene = accused()
    for offset_ms in range(1_000, 11_000, 1_000):
        scene.beat(NOW_MS + offset_ms, but=(US, AP))
        # The accusers beat, but their observation is stuck at its tenth round.
        scene.accuse(NOW_MS + offset_ms, 10, US, AP)
        expected = "wait" if offset_ms < 10_000 else "EVIDENCE_LOST"
        assert scene.outcome(NOW_MS + offset_ms) == expected


@pytest.mark.parametrize("stage", [StageName.CONFIRMING, StageName.FENCING])
def test_a_target_that_is_lost_ends_the_run(stage: StageName) -> None:
    scene = Stage(stage)
    assert scene.outcome(NOW_MS) in {"wait", "EVIDENCE_RETRACTED"}
    scene.watch.hear(US, says(a_service_reading(False)), at_ms=NOW_MS)

    assert scene.outcome(NOW_MS) == "TARGET_LOST"


# -- fencing ---------------------------------------------------------------------------------------


def test_fencing_waits_for_the_promise_of_the_old_home() -> None:
    scene = Stage(StageName.FENCING)
    assert scene.outcome(NOW_MS) == "wait"

    scene.watch.hear(
        EU, says(a_service_reading(), gates=[a_gate(is_open=False, demoted=1)]), at_ms=NOW_MS + 600
    )
    step = scene.step(NOW_MS + 600)

    assert isinstance(step, AdvanceRun)
    assert (step.stage, step.note) == (StageName.PROMOTING, "eu-north1 confirmed that it stopped")


def test_fencing_waits_for_the_lease_to_run_out_when_nobody_promises() -> None:
    scene = Stage(StageName.FENCING)
    scene.beat(NOW_MS + 3_100, but=(EU,))

    assert scene.outcome(NOW_MS + 3_180) == "wait"
    assert scene.outcome(NOW_MS + 3_181) == StageName.PROMOTING


def test_a_gate_that_is_merely_closed_is_no_promise() -> None:
    scene = Stage(StageName.FENCING)
    scene.watch.hear(EU, says(a_service_reading(), gates=[a_gate(is_open=False)]), at_ms=NOW_MS)

    assert scene.outcome(NOW_MS) == "wait"


# -- planned moves ---------------------------------------------------------------------------------


def planned(stage: StageName, service: ServiceSpec | None = None) -> Stage:
    return Stage(stage, kind=RunKind.SWITCHOVER, service=service)


def test_a_planned_move_begins_when_the_copy_follows_closely() -> None:
    assert planned(StageName.DRAINING).outcome(NOW_MS) == StageName.FENCING


def test_a_planned_move_waits_while_the_home_gives_long_answers_but_not_for_ever() -> None:
    scene = planned(StageName.DRAINING)
    long = replace(a_gate(), has_long_answers=True)

    def beat(at_ms: int) -> None:
        scene.beat(at_ms, but=(EU,))
        scene.watch.hear(EU, says(a_service_reading(), gates=[long]), at_ms=at_ms)

    beat(NOW_MS + 10)
    assert scene.outcome(NOW_MS + 10) == "wait"
    beat(NOW_MS + 2_990)
    assert scene.outcome(NOW_MS + 2_990) == "wait"
    # An agent of an earlier release does not shorten them; the demotion waits for them instead.
    assert scene.outcome(NOW_MS + 3_010) == "fencing"


def test_a_planned_move_goes_on_as_soon_as_the_answers_are_short() -> None:
    scene = planned(StageName.DRAINING)
    long = replace(a_gate(), has_long_answers=True)
    scene.watch.hear(EU, says(a_service_reading(), gates=[long]), at_ms=NOW_MS + 10)
    assert scene.outcome(NOW_MS + 10) == "wait"

    scene.beat(NOW_MS + 1_010)

    assert scene.outcome(NOW_MS + 1_010) == "fencing"


def test_a_planned_move_waits_for_a_copy_that_is_behind_and_ends_after_its_deadline() -> None:
    scene = planned(StageName.DRAINING)
    scene.watch = Watch(scene.ledger.state.topology)
    for offset_ms in range(0, 15_001, 1_000):
        at_ms = NOW_MS + offset_ms
        scene.watch.hear(EU, says(a_service_reading()), at_ms=at_ms)
        scene.watch.hear(US, says_lag(60_000), at_ms=at_ms)
        assert scene.outcome(at_ms) == ("wait" if offset_ms < 15_000 else "LAG")


def test_a_planned_move_without_a_declared_rpo_waits_for_no_lag() -> None:
    scene = planned(StageName.DRAINING, a_service(rpo_ms=None))
    scene.watch.hear(US, says(a_service_reading(lag_ms=None)), at_ms=NOW_MS)

    assert scene.outcome(NOW_MS) == StageName.FENCING


def test_a_planned_move_whose_target_is_not_ready_waits_and_then_ends() -> None:
    scene = planned(StageName.DRAINING)
    scene.watch.hear(US, says(a_service_reading(False)), at_ms=NOW_MS)
    assert scene.outcome(NOW_MS) == "wait"

    scene.watch.hear(US, says(a_service_reading(False)), at_ms=NOW_MS + 15_000)
    assert scene.outcome(NOW_MS + 15_000) == "TARGET_LOST"


def test_a_planned_move_is_not_finished_for_a_home_that_failed() -> None:
    scene = planned(StageName.DRAINING)
    scene.ledger.must(a_verdict(Verdict.DOWN, EU, at_ms=NOW_MS))

    assert scene.outcome(NOW_MS) == "SOURCE_LOST"


def test_a_planned_move_loses_nothing_the_copy_must_cover_the_stop() -> None:
    scene = planned(StageName.FENCING)
    promise = says(a_service_reading(), gates=[a_gate(is_open=False, demoted=1)])
    scene.watch.hear(EU, promise, at_ms=NOW_MS + 600)
    # At 600 ms the copy's sample covers up to 500 ms: 100 ms of writes may be missing.
    scene.watch.hear(US, says_lag(100), at_ms=NOW_MS + 600)
    assert scene.outcome(NOW_MS + 600) == "wait"

    scene.watch.hear(EU, promise, at_ms=NOW_MS + 700)
    scene.watch.hear(US, says_lag(99), at_ms=NOW_MS + 700)
    step = scene.step(NOW_MS + 700)

    assert isinstance(step, AdvanceRun)
    assert step.note == "eu-north1 confirmed that it stopped; us-east1 has every write"


def test_a_planned_move_whose_copy_never_catches_up_gives_the_home_back() -> None:
    scene = planned(StageName.FENCING)
    promise = says(a_service_reading(), gates=[a_gate(is_open=False, demoted=1)])
    outcomes = []
    for offset_ms in range(0, 15_001, 1_000):
        at_ms = NOW_MS + offset_ms
        scene.watch.hear(EU, promise, at_ms=at_ms)
        scene.watch.hear(US, says_lag(60_000), at_ms=at_ms)
        outcomes.append(scene.outcome(at_ms))

    assert outcomes == ["wait"] * 15 + ["LAG"]


def test_a_home_that_fell_silent_before_it_promised_makes_it_a_failover_s_work() -> None:
    scene = planned(StageName.FENCING)
    scene.ledger.must(a_verdict(Verdict.UNKNOWN, EU, at_ms=NOW_MS, reason="SILENT"))
    scene.beat(NOW_MS + 3_000, but=(EU,))
    assert scene.outcome(NOW_MS + 3_000) == "wait"

    scene.beat(NOW_MS + 3_200, but=(EU,))
    assert scene.outcome(NOW_MS + 3_200) == "SOURCE_LOST"


# -- promoting, publishing, verifying --------------------------------------------------------------


def test_promoting_ends_when_the_target_s_gate_is_open_under_the_new_token() -> None:
    scene = Stage(StageName.PROMOTING)
    assert scene.ledger.token() == FencingToken(1, 2)
    scene.watch.hear(US, says(a_service_reading(), gates=[a_gate(1)]), at_ms=NOW_MS)
    assert scene.outcome(NOW_MS) == "wait", "the gate of an older epoch does not count"

    scene.watch.hear(US, says(a_service_reading(), gates=[a_gate(2)]), at_ms=NOW_MS)
    assert scene.outcome(NOW_MS) == StageName.PUBLISHING


def test_a_target_that_does_not_open_its_gate_in_time_is_given_up() -> None:
    scene = Stage(StageName.PROMOTING)

    assert scene.outcome(NOW_MS) == "wait"
    assert scene.outcome(NOW_MS + 4_999) == "wait"
    assert scene.outcome(NOW_MS + 5_000) == "TARGET_LOST"


def test_publishing_waits_for_every_replica_in_touch() -> None:
    scene = Stage(StageName.PUBLISHING)
    index = scene.ledger.run().index
    scene.watch.replicas_report(NOW_MS, pushed_index=index, who=[D0, D1])
    assert scene.outcome(NOW_MS) == "wait"

    scene.watch.replicas_report(NOW_MS, pushed_index=index, who=[D2])
    step = scene.step(NOW_MS)
    assert isinstance(step, AdvanceRun)
    assert (step.stage, step.note) == (StageName.VERIFYING, "21 watchers moved")


def test_publishing_does_not_wait_for_a_replica_that_is_out_of_touch() -> None:
    scene = Stage(StageName.PUBLISHING)
    at_ms = NOW_MS + 2_001
    scene.watch.replicas_report(at_ms, pushed_index=scene.ledger.run().index, who=[D0, D1])
    scene.memory = Memory(StageName.PUBLISHING, at_ms, {})

    assert scene.outcome(at_ms) == StageName.VERIFYING


def test_publishing_goes_on_after_its_deadline_and_names_who_did_not_answer() -> None:
    scene = Stage(StageName.PUBLISHING)
    scene.watch.replicas_report(NOW_MS, pushed_index=scene.ledger.run().index, who=[D0])
    assert scene.outcome(NOW_MS) == "wait"
    assert scene.outcome(NOW_MS + 999) == "wait"

    step = scene.step(NOW_MS + 1_000)
    assert isinstance(step, AdvanceRun)
    assert step.note == "not confirmed by d1, d2"


def test_verifying_ends_with_the_target_s_own_passing_probe_behind_an_open_gate() -> None:
    scene = Stage(StageName.VERIFYING)
    assert scene.outcome(NOW_MS) == "wait", "its gate is not reported open"

    scene.watch.hear(US, says(a_service_reading(True), gates=[a_gate(2)]), at_ms=NOW_MS)
    assert scene.outcome(NOW_MS) == StageName.SETTLED


def test_a_move_that_nobody_verified_stands_and_says_so() -> None:
    scene = Stage(StageName.VERIFYING)
    assert scene.outcome(NOW_MS) == "wait"

    step = scene.step(NOW_MS + 5_000)

    assert isinstance(step, AdvanceRun)
    assert step.note == "us-east1 was not seen to pass its own probe"


@pytest.mark.parametrize("ended", [StageName.SETTLED, StageName.ABORTED])
def test_an_ended_run_has_no_next_step(ended: StageName) -> None:
    scene = Stage(StageName.VERIFYING)
    run = replace(scene.ledger.run(), stage=ended)
    bench = scene.watch.bench(scene.ledger.state, scene.leases, NOW_MS)
    memory = Memory(ended, NOW_MS, {})

    view = RunView(bench, run, scene.ledger.group(), scene.service, memory, a_stamp(NOW_MS))

    assert next_step(view) is None


def test_a_leader_that_has_not_heard_the_target_yet_neither_gives_it_up_nor_promotes_it() -> None:
    scene = Stage(StageName.FENCING)
    scene.watch = Watch(scene.ledger.state.topology)
    late_ms = NOW_MS + 4_000  # the lease has long run out
    assert scene.outcome(late_ms) == "wait"
    assert scene.outcome(late_ms + 1_999) == "wait"

    assert scene.outcome(late_ms + 2_000) == "TARGET_LOST"
    scene.watch.hear(US, says(a_service_reading()), at_ms=late_ms + 2_000)
    assert scene.outcome(late_ms + 2_000) == StageName.PROMOTING
