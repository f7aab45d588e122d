"""Who the other replicas are: where they are reached, and which life of theirs we know.

A replica whose data directory was wiped returns under its old name without its votes (fault 25).
Its incarnation tells: the first one seen of a member is kept, durably, until the member is
removed; another one under the same name is refused.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from director.runtime.kept_file import CorruptFileError, KeptFile

_FORMAT = 1


class Roster:
    """Addresses and incarnations of members.

    ``founding`` addresses come from the configuration and win: they can be changed there.
    """

    def __init__(self, kept: KeptFile, founding: Mapping[str, str]) -> None:
        """Take up what was kept.

        Raises:
            CorruptFileError: The file is damaged.
            OSError: It could not be read.
        """
        self._kept = kept
        self._founding = dict(founding)
        self._replicated: dict[str, str] = {}
        self._advertised: dict[str, str] = {}
        self._incarnation_by_id: dict[str, str] = {}
        self._joined_by_id: dict[str, int] = {}
        self._saving = asyncio.Lock()
        payload = kept.read()
        if payload is not None:
            self._load(payload)

    def _load(self, payload: bytes) -> None:
        fields = json.loads(payload)
        if fields.get("format") != _FORMAT:
            raise CorruptFileError(
                f"{self._kept.path} has format {fields.get('format')}; "
                f"this release reads {_FORMAT}",
                path=str(self._kept.path),
            )
        self._replicated = fields["addresses"]
        self._incarnation_by_id = fields["incarnations"]
        self._joined_by_id = fields.get("joined", {})

    @property
    def replicated(self) -> Mapping[str, str]:
        """Addresses that came through the log."""
        return self._replicated

    @property
    def joined(self) -> Mapping[str, int]:
        """At which index each added member was, last."""
        return self._joined_by_id

    def address(self, member_id: str) -> str | None:
        """Where a member is reached. None if nobody said."""
        for address_by_id in (self._founding, self._replicated, self._advertised):
            if member_id in address_by_id:
                return address_by_id[member_id]
        return None

    def note_replicated(
        self,
        address_by_id: Mapping[str, str],
        joined_by_id: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Learn addresses, and who was added when, from the log or a snapshot.

        Who was added since is a new member, even if this replica never saw the old one removed:
        it was away, and a snapshot told it of both at once.
        """
        self._replicated.update(address_by_id)
        for member_id, index in joined_by_id.items():
            if index > self._joined_by_id.get(member_id, 0):
                self._joined_by_id[member_id] = index
                self._incarnation_by_id.pop(member_id, None)

    def note_advertised(self, member_id: str, address: str) -> None:
        """Learn where a peer says it is reached. Believed only while nothing better is known."""
        if address:
            self._advertised[member_id] = address

    def is_another_life(self, member_id: str, incarnation: str) -> bool:
        """Whether this member was known under another incarnation."""
        return self._incarnation_by_id.get(member_id, incarnation) != incarnation

    async def note_incarnation(self, member_id: str, incarnation: str) -> None:
        """Remember the first incarnation seen of a member. Durable on return.

        Raises:
            OSError: It could not be written.
        """
        if self.learn_incarnation(member_id, incarnation):
            try:
                await self.save()
            except OSError:
                # Not believed the next time either: a restart would have forgotten it.
                self._incarnation_by_id.pop(member_id, None)
                raise

    def learn_incarnation(self, member_id: str, incarnation: str) -> bool:
        """Take in the first incarnation seen of a member. Whether that is news, to be saved."""
        assert not self.is_another_life(member_id, incarnation), "the caller refuses it"
        if member_id in self._incarnation_by_id:
            return False
        self._incarnation_by_id[member_id] = incarnation
        return True

    def forget(self, member_ids: Iterable[str]) -> bool:
        """Forget members that were removed; they may return as new ones. Whether any was known."""
        known = False
        for member_id in member_ids:
            for values in (self._replicated, self._advertised, self._incarnation_by_id):
                known |= values.pop(member_id, None) is not None
        return known

    async def save(self) -> None:
        """Write addresses and incarnations, off the loop.

        Raises:
            OSError: They could not be written.
        """
        async with self._saving:
            payload = self.encoded()
            await asyncio.get_running_loop().run_in_executor(None, self._kept.write, payload)

    def encoded(self) -> bytes:
        """What is kept of the members."""
        fields = {
            "format": _FORMAT,
            "addresses": self._replicated,
            "incarnations": self._incarnation_by_id,
            "joined": self._joined_by_id,
        }
        return json.dumps(fields, sort_keys=True).encode()
