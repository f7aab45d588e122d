"""C9: an operator's word takes effect only after the log holds it, with who and for what."""

from collections.abc import Mapping

from director.core.commands import ApplyManifest, SetOverride
from director.core.state import State
from director.raft.messages import Entry, EntryKind
from director.service.codec import decode_command


class OverridesLogged:
    """Compares each change of overrides with the committed entry of its index."""

    def __init__(self) -> None:
        self.count = 0

    def changed(self, before: State, after: State, entries: Mapping[int, Entry]) -> None:
        """An entry was applied for the first time anywhere."""
        if after.overrides is before.overrides or dict(after.overrides) == dict(before.overrides):
            return
        self.count += 1
        entry = entries.get(after.applied_index)
        assert entry is not None, f"index {after.applied_index} has effect before it is committed"
        assert entry.kind is EntryKind.NORMAL, f"entry {entry.index} overrides without a command"
        command = decode_command(entry.payload, index=entry.index)
        if isinstance(command, ApplyManifest):
            new = [each for each in after.overrides if each not in before.overrides]
            assert not new, f"the documents of index {entry.index} set {new}"
            return
        assert isinstance(command, SetOverride), f"{type(command).__name__} sets an override"
        assert all((command.stamp.actor, command.stamp.request_id)), (
            f"the override of index {entry.index} names nobody: {command.stamp}"
        )
        pair = (command.service_id, command.region_id)
        expected = dict(before.overrides)
        expected.pop(pair, None)
        if command.override is not None:
            expected[pair] = command.override
        assert dict(after.overrides) == expected, (
            f"entry {entry.index} sets {command.override} for {pair}; in force is "
            f"{dict(after.overrides)}"
        )
