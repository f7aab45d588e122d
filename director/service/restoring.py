"""The state that a restored director begins with: a copy's, until a new generation starts (A2)."""

from collections.abc import Sequence
from dataclasses import replace

from director.core import machine
from director.core.state import State
from director.service.codec import decode_command, decode_state


def restored_state(
    snapshot: bytes | None, payloads: Sequence[bytes], *, generation_min: int = 0
) -> State:
    """Return the state after every entry, on which nobody may act before a new generation.

    The generation is not raised here: the tokens of the copy do not overrule what agents know, so
    that they can still say who owned last.

    Args:
        snapshot: The state before the first entry; None is the state of an empty log.
        payloads: The entries, in order; an empty one holds no command.
        generation_min: The generation that is to start is at least this.

    Raises:
        UnknownEntryError: This release cannot read the snapshot or an entry in full.
    """
    state = State() if snapshot is None else decode_state(snapshot)
    for payload in payloads:
        index = state.applied_index + 1
        command = decode_command(payload, index=index) if payload else None
        state, _ = machine.apply(state, index, command)
    due = max(state.generation + 1, state.generation_due + 1, generation_min)
    return replace(state, generation_due=due)
