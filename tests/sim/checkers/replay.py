"""C6: the committed commands, applied again from the first, make the same states."""

from collections.abc import Mapping

from director.core import machine
from director.core.digest import digest
from director.core.state import State
from director.raft.messages import Entry, EntryKind
from director.service.codec import decode_command


class Replay:
    """Folds the committed entries anew. The machine is what is tested, so it is called here."""

    def __init__(self) -> None:
        self.replayed_count = 0
        self._is_excused = False

    def restored(self) -> None:
        """The log was cut: there is no one history any more."""
        self._is_excused = True

    def finish(self, entries: Mapping[int, Entry], newest: State) -> None:
        """Compare the state that ``newest`` is with one that is made from the entries alone."""
        if self._is_excused:
            return
        state = State()
        for index in range(1, newest.applied_index + 1):
            entry = entries[index]
            command = None
            if entry.kind is EntryKind.NORMAL:
                command = decode_command(entry.payload, index=index)
            state, _ = machine.apply(state, index, command)
            self.replayed_count += 1
        assert digest(state) == digest(newest), (
            f"applying the log again does not make the state of index {newest.applied_index}:\n"
            f"{state}\n{newest}"
        )
