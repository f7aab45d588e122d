"""Bugs of the consensus algorithm (A7, A8, L1)."""

from director.raft import (
    election,
    inbox,
    log,
    proposals,
    quorum,
    read_index,
    reads,
    ready,
    replication,
    state,
)
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.raft_worlds import hostile, in_turns, linked

_HOSTILE = hostile()

BUGS = (
    Bug("a promise is acknowledged before the disk has it", "A7", _HOSTILE, (
        Edit(state, "ReplicaState.send_after_persist", "outbox_after_persist", "outbox_now"),
    )),
    Bug("a vote is not synced", "A7", hostile(200, crash=0.01, strike=0.03, propose=0.02), (
        Edit(ready, "Handover.take", "must_sync=is_ballot_news or ", "must_sync="),
    )),
    Bug("votes are given to logs that lack entries", "A7", _HOSTILE, (
        Edit(election, "on_vote_request",
             "can_vote and (message.log_term, message.index) >= own_log", "can_vote"),
    )),
    Bug("votes compare the length of logs before their terms", "A7", _HOSTILE, (
        Edit(election, "on_vote_request",
             "(message.log_term, message.index) >= own_log", "message.index >= own_log[1]"),
    )),
    Bug("a vote is given twice", "A7", _HOSTILE, (
        Edit(election, "on_vote_request",
             "state.vote is None and state.leader_id is None", "True"),
    )),
    Bug("the vote is forgotten by a restart", "A7", _HOSTILE, (
        Edit(state, "ReplicaState.__init__",
             "self.vote = hard_state.vote if hard_state.term == self.term else None",
             "self.vote: ReplicaId | None = None"),
    )),
    Bug("half the voters are taken for a majority", "A7", _HOSTILE, (
        Edit(quorum, "majority_value", "(len(values) - 1) // 2", "len(values) // 2"),
    )),
    Bug("half the votes are taken for a majority", "A7", _HOSTILE, (
        Edit(quorum, "_majority_result",
             "quorum_size(len(voters))", "max(1, len(voters) // 2)"),
    )),
    Bug("an entry of an old term is committed by counting", "A7", in_turns(), (
        Edit(replication, "maybe_commit", " or log.term_at(index) != state.term", ""),
    )),
    Bug("entries are accepted after a gap in the log", "A7", _HOSTILE, (
        Edit(replication, "on_append",
             "log.term_at(message.index) != message.log_term", "log.last_index < message.index"),
    )),
    Bug("conflicting entries are kept", "A7", _HOSTILE, (
        Edit(log, "ReplicaLog.held_count",
             "self.term_at(entry.index) != entry.term", "self.term_at(entry.index) is None"),
    )),
    Bug("heartbeats commit what is not known to match", "A7", _HOSTILE, (
        Edit(reads, "begin_round",
             "min(progress.match_index, state.log.commit_index)", "state.log.commit_index"),
    )),
    Bug("a read does not wait for any round", "A7", _HOSTILE, (
        Edit(read_index, "ReadQueue.add", "self.round + 1", "0"),
    )),
    Bug("a new leader reads before it knows what is committed", "A7", _HOSTILE, (
        Edit(reads, "add_read", "state.leader_commit", "state.log.commit_index"),
    )),
    Bug("a new leader vouches for what it does not know to be committed", "A8", _HOSTILE, (
        Edit(state, "ReplicaState.leader_commit",
             "max(self.log.commit_index, self.term_start_index)", "self.log.commit_index"),
    )),
    Bug("a heartbeat vouches only for what its recipient holds", "A8", _HOSTILE, (
        Edit(reads, "begin_round", "leader_commit=state.leader_commit",
             "leader_commit=min(progress.match_index, state.log.commit_index)"),
    )),
    Bug("old word from the leader is dated by its arrival", "A8", _HOSTILE, (
        Edit(state, "ReplicaState.read_stamp", "return at_ms if", "return self.now_ms if"),
    )),
    Bug("membership changes overlap", "C10", hostile(200, change=0.3), (
        Edit(proposals, "propose_membership",
             "state.memberships.latest_index > state.log.commit_index", "False"),
    )),
    Bug("membership changes before the new leader's first commit", "C10",
        in_turns(changes=True), (
        Edit(proposals, "propose_membership",
             "state.log.commit_index < state.term_start_index", "False"),
    )),
    Bug("an overwritten membership stays in force", "C10", hostile(200, change=0.3), (
        Edit(state, "ReplicaState.accept_entries",
             "self.memberships.truncate_from(first)", "pass"),
    )),
    Bug("a message of an old term is believed", "A7", _HOSTILE, (
        Edit(inbox, "receive", "_answer_lower_term(state, message)\n        return", "pass"),
    )),
    Bug("entries written by an overtaken ready are taken for the newer ones", "A7",
        hostile(200), (
        Edit(log, "ReplicaLog._truncate_from",
             "self._handed_to = min(self._handed_to, index)", "pass"),
    )),
    Bug("a leader that reaches no quorum stays", "A8", linked(), (
        Edit(election, "_tick_leader", "state.config.check_quorum and ", "False and "),
    )),
    Bug("nobody asks before it campaigns", "L1", linked(), (
        Edit(election, "campaign", "state.config.pre_vote and not is_forced", "False"),
    )),
    Bug("those who hear a leader vote against it", "L1", linked(), (
        Edit(state, "ReplicaState.is_in_lease",
             "if not self.config.check_quorum or self.leader_id is None:", "if True:"),
    )),
    Bug("a follower behind a compacted log is left there", "L3", hostile(40, compact=0.05), (
        Edit(replication, "_send_append", "_send_snapshot(state, to, progress)\n", "pass\n"),
    ), is_liveness=True),
)  # fmt: skip
