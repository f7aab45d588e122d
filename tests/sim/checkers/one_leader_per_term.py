"""A7: each term has at most one leader."""


class OneLeaderPerTerm:
    """Remembers who led each term."""

    def __init__(self) -> None:
        self.leader_by_term: dict[int, str] = {}

    def led(self, replica_id: str, term: int) -> None:
        leader = self.leader_by_term.setdefault(term, replica_id)
        assert leader == replica_id, f"{leader} and {replica_id} both led term {term}"
