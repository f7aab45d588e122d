"""How a command that must not be applied is turned down: one form for every command."""

from director.core.commands import Command
from director.core.events import Rejected
from director.core.safety import Refusal
from director.core.state import State


def reject(state: State, index: int, command: Command, refusal: Refusal) -> tuple[State, Rejected]:
    """Return the state as it is, with the reason why ``command`` changed nothing."""
    return state, Rejected(
        index,
        type(command).__name__,
        refusal.reason,
        refusal.message,
        refusal.metadata,
        command.stamp.request_id,
    )
