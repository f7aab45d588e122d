"""A7: a read sees everything that anybody took as committed before it was asked."""


class LinearReads:
    """Compares the index of each confirmed read with what was committed when it was asked."""

    def __init__(self) -> None:
        self._least: dict[tuple[str, int], int] = {}
        self.count = 0

    def replica_started(self, replica_id: str) -> None:
        """Reads of an earlier life have no answer."""
        self._least = {key: at for key, at in self._least.items() if key[0] != replica_id}

    def asked(self, replica_id: str, number: int, *, committed_index: int) -> None:
        """A read is asked for while ``committed_index`` is the highest that anybody took."""
        self._least[replica_id, number] = committed_index

    def confirmed(self, replica_id: str, number: int, *, index: int) -> None:
        """The read may be answered from the state as of ``index``."""
        self.count += 1
        least = self._least.pop((replica_id, number), 0)
        assert index >= least, (
            f"a read at {replica_id} sees the state as of {index}; {least} was committed when it "
            "was asked"
        )
