"""Refuses instructions with an old fencing token, across restarts.

A token counts only once it is durable (A3): an agent that obeyed a token and then forgot it could
obey a lower one later. Until then it only closes doors, never opens one.
"""

from dataclasses import replace

from director.routing.table import RegionId
from regions.core.effects import KeepTokens, KeptGroup, KeptTokens
from regions.core.ids import NO_TOKEN, FencingToken, GroupId
from regions.core.inputs import GroupDirected


class Fence:
    """The highest token seen, per group."""

    def __init__(self, region_id: RegionId, kept: KeptTokens) -> None:
        self._region_id = region_id
        self._latest = {group.group_id: group for group in kept.groups}
        self._durable = dict(self._latest)
        self._writes: list[tuple[int, dict[GroupId, KeptGroup]]] = []
        self._write_number = 0

    def directed(self, given: GroupDirected) -> KeepTokens | None:
        """Take a directive in.

        Returns:
            What must be made durable, or None if the directive is old or says nothing new.
        """
        known = self._latest.get(given.group_id)
        if known is not None and given.token < known.token:
            return None
        if known is None or given.token > known.token:
            promised = None if known is None else known.demoted_through
            known = KeptGroup(given.group_id, given.service_id, given.token, given.home, promised)
        # Only the owner under this very token can promise anything about it.
        if given.demote and given.home == known.home == self._region_id:
            known = replace(known, demoted_through=given.token)
        if known == self._latest.get(given.group_id):
            return None
        self._latest[given.group_id] = known
        self._write_number += 1
        snapshot = dict(self._latest)
        self._writes.append((self._write_number, snapshot))
        groups = tuple(snapshot[group_id] for group_id in sorted(snapshot))
        return KeepTokens(self._write_number, KeptTokens(groups))

    def kept(self, write_number: int) -> None:
        """Everything up to ``write_number`` is durable."""
        while self._writes and self._writes[0][0] <= write_number:
            self._durable = self._writes.pop(0)[1]

    def group_ids(self) -> tuple[GroupId, ...]:
        """Return every group ever heard of, sorted."""
        return tuple(sorted(self._latest))

    def latest(self, group_id: GroupId) -> KeptGroup:
        """Return the highest word on a group, durable or not."""
        return self._latest[group_id]

    def latest_home(self, group_id: GroupId) -> RegionId | None:
        """Return the owner by the highest word, durable or not; None if nobody, or unheard of."""
        group = self._latest.get(group_id)
        return None if group is None else group.home

    def token(self, group_id: GroupId) -> FencingToken:
        """Return the highest token durably seen."""
        group = self._durable.get(group_id)
        return NO_TOKEN if group is None else group.token

    def home(self, group_id: GroupId) -> RegionId | None:
        """Return the owner under the highest token durably seen; None if nobody."""
        group = self._durable.get(group_id)
        return None if group is None else group.home

    def demoted_through(self, group_id: GroupId) -> FencingToken | None:
        """Return the durable promise, or None."""
        group = self._durable.get(group_id)
        return None if group is None else group.demoted_through

    def is_home(self, group_id: GroupId) -> bool:
        """Tell whether this region owns the group, whatever it promised."""
        return self._latest[group_id].home == self._region_id

    def is_ours(self, group_id: GroupId) -> bool:
        """Tell whether this region owns the group and has not promised to stop."""
        group = self._latest[group_id]
        return (
            group.home == self._region_id
            and group.token.epoch > 0
            and (group.demoted_through is None or group.demoted_through < group.token)
        )

    def may_act(self, group_id: GroupId) -> bool:
        """Tell whether this region may ask for a lease: ours, and durably so."""
        return self.is_ours(group_id) and self._durable.get(group_id) == self._latest[group_id]
