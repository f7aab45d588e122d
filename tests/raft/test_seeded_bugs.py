"""The simulator is tested too: each bug is put into the algorithm, and must be found.

A bug is a replacement in the source of one function. If that source changes so that the bug can no
longer be put in, the test fails and it is to be written anew. Bugs too rare for a short run are
missing here; each has a story of its own in ``paper``.
"""

import inspect
import textwrap
from dataclasses import dataclass
from types import ModuleType

import pytest

from director.raft import (
    election,
    inbox,
    log,
    proposals,
    quorum,
    read_index,
    reads,
    replication,
    state,
)
from tests.raft.network import World

SEEDS_MAX = 200
STEPS = 1_500


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    module: ModuleType
    function: str
    """With the class before a dot, if it is a method."""
    right: str
    wrong: str


BUGS = (
    Bug("promises overtake the disk", state, "ReplicaState.send_after_persist",
        "outbox_after_persist", "outbox_now"),
    Bug("a candidate counts its own vote before its disk", state, "ReplicaState.become_candidate",
        "self.campaign_at_tick = self.tick",
        "self.campaign_at_tick = self.tick\n    self.votes = {self.replica_id: True}"),
    Bug("votes are given to logs that lack entries", election, "on_vote_request",
        "can_vote and (message.log_term, message.index) >= own_log", "can_vote"),
    Bug("votes compare the length of logs before their terms", election, "on_vote_request",
        "(message.log_term, message.index) >= own_log", "message.index >= own_log[1]"),
    Bug("a vote is given twice", election, "on_vote_request",
        "state.vote is None and state.leader_id is None", "True"),
    Bug("the vote is forgotten by a restart", state, "ReplicaState.__init__",
        "self.vote = hard_state.vote if hard_state.term == self.term else None",
        "self.vote: ReplicaId | None = None"),
    Bug("half the voters are taken for a majority", quorum, "majority_value",
        "(len(values) - 1) // 2", "len(values) // 2"),
    Bug("half the votes are taken for a majority", quorum, "_majority_result",
        "quorum_size(len(voters))", "max(1, len(voters) // 2)"),
    Bug("entries are accepted after a gap in the log", replication, "on_append",
        "log.term_at(message.index) != message.log_term", "log.last_index < message.index"),
    Bug("conflicting entries are kept", log, "ReplicaLog.held_count",
        "self.term_at(entry.index) != entry.term", "self.term_at(entry.index) is None"),
    Bug("heartbeats commit what is not known to match", reads, "begin_round",
        "min(progress.match_index, state.log.commit_index)", "state.log.commit_index"),
    Bug("a read does not wait for any round", read_index, "ReadQueue.add",
        "self.round + 1", "0"),
    Bug("a new leader reads before it knows what is committed", reads, "add_read",
        "state.leader_commit", "state.log.commit_index"),
    Bug("a new leader vouches for what it does not know to be committed", state,
        "ReplicaState.leader_commit",
        "max(self.log.commit_index, self.term_start_index)", "self.log.commit_index"),
    Bug("a heartbeat vouches only for what its recipient holds", reads, "begin_round",
        "leader_commit=state.leader_commit",
        "leader_commit=min(progress.match_index, state.log.commit_index)"),
    Bug("old word from the leader is dated by its arrival", state, "ReplicaState.read_stamp",
        "return at_ms if", "return self.now_ms if"),
    Bug("membership changes overlap", proposals, "propose_membership",
        "state.memberships.latest_index > state.log.commit_index", "False"),
    Bug("an overwritten membership stays in force", state, "ReplicaState.accept_entries",
        "self.memberships.truncate_from(first)", "pass"),
    Bug("a message of an old term is believed", inbox, "receive",
        "_answer_lower_term(state, message)\n        return", "pass"),
    Bug("entries written by an overtaken ready are taken for the newer ones", log,
        "ReplicaLog._truncate_from", "self._handed_to = min(self._handed_to, index)", "pass"),
)  # fmt: skip


def put_in(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    owner_name, _, name = bug.function.rpartition(".")
    owner = getattr(bug.module, owner_name) if owner_name else bug.module
    attribute = inspect.getattr_static(owner, name)
    function = attribute.fget if isinstance(attribute, property) else attribute
    assert callable(function)
    source = textwrap.dedent(inspect.getsource(function))
    if isinstance(attribute, property):
        source = source.removeprefix("@property\n")
    assert bug.right in source, f"the bug does not fit {bug.function} any more"
    namespace: dict[str, object] = {}
    code = compile(source.replace(bug.right, bug.wrong), bug.name, "exec")
    exec(code, vars(bug.module), namespace)  # noqa: S102 - our own source
    wrong = namespace[name]
    if isinstance(attribute, property):
        wrong = property(wrong)  # type: ignore[arg-type]
    monkeypatch.setattr(owner, name, wrong)


def seeds_to_find() -> int | None:
    """How many seeds it takes to notice that something is wrong, None if they all pass."""
    for seed in range(SEEDS_MAX):
        try:
            world = World(seed)
            world.run(STEPS)
            world.recover()
        except (AssertionError, KeyError, LookupError, ValueError):
            return seed + 1
    return None


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_simulator_finds_a_bug_that_was_put_in(
    bug: Bug, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(bug, monkeypatch)

    assert seeds_to_find() is not None
