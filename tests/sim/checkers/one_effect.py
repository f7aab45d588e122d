"""C1, fault 37: a request has one effect, however often and wherever it was sent."""

from director.core.events import (
    Event,
    ManifestApplied,
    OverrideChanged,
    RegionDrainSet,
    RunAborted,
    RunStarted,
)


class OneEffect:
    """Remembers at which index each request was carried out."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many requests were carried out."""
        return len(self._index)

    def restored(self, index: int) -> None:
        """What was done behind ``index`` is to be done again."""
        self._index = {request: at for request, at in self._index.items() if at <= index}

    def noted(self, event: Event) -> None:
        """An entry was applied on some replica."""
        match event:
            case (
                ManifestApplied(index, request_id=request_id)
                | OverrideChanged(index, request_id=request_id)
                | RegionDrainSet(index, request_id=request_id)
                | RunAborted(index, request_id=request_id)
                | RunStarted(index, request_id=request_id)
            ) if request_id:
                first = self._index.setdefault(request_id, index)
                assert first == index, (
                    f"request {request_id} was carried out at index {first} and again at {index}"
                )
            case _:
                return
