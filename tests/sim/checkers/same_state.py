"""A7: replicas that applied the same index have the same state."""

from director.core.state import State


class SameState:
    """Keeps the first state seen at each index and compares every later one, field by field."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[str, State]] = {}
        self.compared_count = 0

    def applied(self, replica_id: str, state: State) -> None:
        first_id, first = self._first.setdefault(state.applied_index, (replica_id, state))
        if first is state:
            return
        self.compared_count += 1
        assert first == state, (
            f"{replica_id} and {first_id} differ at index {state.applied_index}:\n{state}\n{first}"
        )
