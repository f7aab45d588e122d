"""Says once why automation does not act, and again when the reason changes."""

from collections.abc import Mapping

from director.core.effects import Note
from director.core.events import Rejected
from director.core.ids import GroupId
from director.core.safety import Refusal


class HeldNews:
    """What people were told of the moves that are held back. Mutable, but pure."""

    def __init__(self) -> None:
        self._told: dict[GroupId, Refusal] = {}

    def forget(self) -> None:
        """Tell everything again, in a new office."""
        self._told = {}

    def news(self, held: Mapping[GroupId, Refusal], *, applied_index: int) -> list[Note]:
        """Return what is new in ``held``, as the rejections they would be."""
        news = []
        for group_id, refusal in sorted(held.items()):
            told = self._told.get(group_id)
            if told is None or told.reason is not refusal.reason:
                metadata = (*refusal.metadata, ("groupId", group_id))
                news.append(
                    Note(
                        Rejected(
                            applied_index, "StartRun", refusal.reason, refusal.message, metadata
                        )
                    )
                )
                self._told[group_id] = refusal
        for group_id in [each for each in self._told if each not in held]:
            del self._told[group_id]
        return news
