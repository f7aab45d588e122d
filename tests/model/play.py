"""Plays one seed: a machine, transactions, and the model that watches."""

import random
from dataclasses import dataclass

from director.core import machine
from director.core.commands import ApplyManifest, Command
from director.core.events import Rejected
from director.core.state import State
from tests.model.draw import Draw
from tests.model.naive import Model

# A fleet this long, then a new one: a bug that needs a young state is met as well.
TRANSACTIONS_PER_SEED = 500


@dataclass(frozen=True)
class Played:
    """What one seed came to.

    Attributes:
        carried: Transactions that changed something; the others were refused.
        broken: What the last transaction broke, and how to see it again; "" when nothing.
    """

    seed: int
    transactions: int
    carried: int
    broken: str = ""


def _told(command: Command) -> str:
    """Documents are long, and the seed draws them again."""
    if isinstance(command, ApplyManifest):
        return f"documents with {[each.service_id for each in command.topology.services]}"
    return str(command)


def play(seed: int, transactions: int = TRANSACTIONS_PER_SEED) -> Played:
    """Run a seed until its end, or until something is broken."""
    draw, model, state = Draw(random.Random(seed), has_terms=seed % 2 == 0), Model(), State()
    carried = 0
    for number in range(1, transactions + 1):
        command = draw.command(state)
        was = state
        state, event = machine.apply(state, state.applied_index + 1, command)
        faults = list(model.look(was, command, event, state))
        if faults:
            told = f"{'; '.join(faults)}\n  after {_told(command)}"
            again = f"python -m tests.model --first-seed {seed} --transactions {number}"
            return Played(seed, number, carried, f"{told}\n  again: {again}")
        carried += not isinstance(event, Rejected)
    return Played(seed, transactions, carried)
