"""A7, C6: replicas that applied the same index have the same state."""

from dataclasses import fields

from director.core.state import State

_FIELDS = tuple(each.name for each in fields(State))


class SameState:
    """Keeps the first state seen at each index and compares every later one, field by field.

    What neither replica changed since they were last compared is equal still.
    """

    def __init__(self) -> None:
        self._first: dict[int, tuple[str, State]] = {}
        self._compared: dict[str, tuple[State, State]] = {}
        self.compared_count = 0

    def replica_started(self, replica_id: str) -> None:
        """It builds its state anew."""
        self._compared.pop(replica_id, None)

    def restored(self, index: int) -> None:
        """What was applied behind ``index`` never happened, for those who go on from there."""
        self._first = {at: first for at, first in self._first.items() if at <= index}
        self._compared = {}

    def applied(self, replica_id: str, state: State) -> None:
        """A replica has this state now."""
        first_id, first = self._first.setdefault(state.applied_index, (replica_id, state))
        if first is state:
            return
        self.compared_count += 1
        before = self._compared.get(replica_id)
        for name in _FIELDS:
            theirs, ours = getattr(first, name), getattr(state, name)
            if before is not None and (
                getattr(before[0], name) is theirs and getattr(before[1], name) is ours
            ):
                continue
            assert theirs == ours, (
                f"{replica_id} and {first_id} differ at index {state.applied_index} in {name}:\n"
                f"{ours}\n{theirs}"
            )
        self._compared[replica_id] = (first, state)
