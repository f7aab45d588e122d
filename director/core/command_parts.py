"""What commands are made of: who asks and when, what a decision rests on, and how runs go."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who asked for a command, when, and how to recognise a repetition.

    Attributes:
        at_ms: Director time of the decision.
        wall_ms: Wall clock of the replica that proposed, for people only.
        request_id: Same id, same effect: a repetition changes nothing (invariant C1, fault 37).
            Empty for the director's own commands, which are guarded by what they expect.
        actor: Who: "director" or an operator's name.
        reason: Why, in the actor's words.
        ask_digest: Stands for what was asked, so that one request id is not used for two things;
            "" for the director's own commands.
    """

    at_ms: int
    wall_ms: int = 0
    request_id: str = ""
    actor: str = "director"
    reason: str = ""
    ask_digest: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One vantage point's word, as it stood when a decision was made (C4, C6).

    Attributes:
        vantage: "self", "director:d0" or "peer:eu-north1".
        finding: "pass", "fail", "silent" or "unheard".
        age_ms: Age of the observation when the decision was made.
    """

    vantage: str
    finding: str
    age_ms: int


class RunKind(StrEnum):
    """Why ownership moves."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    FAILBACK = "failback"


class StageName(StrEnum):
    """The stages of a run, in order. DRAINING only for planned moves, CONFIRMING for automatic."""

    DRAINING = "draining"
    CONFIRMING = "confirming"
    FENCING = "fencing"
    PROMOTING = "promoting"
    PUBLISHING = "publishing"
    VERIFYING = "verifying"
    SETTLED = "settled"
    ABORTED = "aborted"
