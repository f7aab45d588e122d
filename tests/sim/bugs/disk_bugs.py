"""Bugs of the log and the snapshots on disk (D8, D9, A7: no ack before fsync)."""

from director.storage import records, recovery, snapshots, synced_file, wal
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.disk_worlds import crashing, damaged, snapshotting

_CRASHING, _DAMAGED, _SNAPSHOTTING = crashing(), damaged(), snapshotting()

BUGS = (
    Bug("a sync returns without syncing the log", "A7", _CRASHING, (
        Edit(wal, "Wal.sync", "file.datasync()", "pass"),
    )),
    Bug("only the newest segment is synced", "A7", _CRASHING, (
        Edit(wal, "Wal.sync", "if number >= synced]", "if number == mark.position.segment]"),
    )),
    Bug("the name of a new segment is not synced", "A7", _CRASHING, (
        Edit(wal, "Wal.sync", "self._files.sync_directory(self._directory)", "pass"),
    )),
    Bug("what a killed process left in the cache is answered from unsynced", "A7", _CRASHING, (
        Edit(wal, "Wal._resume", "    self.sync()", "    pass"),
    )),
    Bug("the torn end is cut but not for good", "D8", _CRASHING, (
        Edit(wal, "Wal._resume", "file.truncate(recovered.end.offset)", "pass"),
    )),
    Bug("a failed sync is tried again and believed", "D9", _CRASHING, (
        Edit(wal, "Wal.sync", 'raise self._fail("sync", error) from error', "return"),
    )),
    Bug("segments are removed before the log is done with them", "D8", _CRASHING, (
        Edit(wal, "Wal._cut_index_to",
             "self._index.location(index).segment", "self._end.segment"),
    )),
    Bug("segments are removed newest first", "D8", _CRASHING, (
        Edit(wal, "Wal._remove_segments_below",
             "unneeded = sorted(old for old in self._segments if old < number)",
             "unneeded = sorted((old for old in self._segments if old < number), reverse=True)"),
    )),
    Bug("a vote is written behind the entries that it was given before", "A7", _CRASHING, (
        Edit(wal, "Wal.append_batch",
             "records += [(Kind.ENTRY, encode_entry(entry)) for entry in entries]",
             "records = [*((Kind.ENTRY, encode_entry(entry)) for entry in entries), *records]"),
        Edit(wal, "Wal.append_batch", "locations[-len(entries) :]",
             "locations[-len(records) :][: len(entries)]"),
    )),
    Bug("the start of a segment is without the vote", "A7", _CRASHING, (
        Edit(wal, "Wal._begin_segment", "self._mark, self._hard_state)",
             "self._mark, HardState(term=self._hard_state.term))"),
    )),
    Bug("an entry that replaces another leaves those behind it", "A7", _CRASHING, (
        Edit(recovery, "_Replay._take_entry", "index.truncate_from(entry.index)",
             "index.truncate_from(max(entry.index, index.last_index))"),
    )),
    Bug("neither checksums nor the hash chain are checked", "D9", _DAMAGED, (
        Edit(records, "read_record",
             " or crc32(memoryview(content)[offset:body_end]) != crc", ""),
        Edit(records, "read_record", "if expected != own:", "if False:"),
    )),
    Bug("the hash chain is not checked", "D9", _DAMAGED, (
        Edit(records, "read_record", "if expected != own:", "if False:"),
        Edit(recovery, "_Replay.begin", "if start.seed != expected:", "if False:"),
        Edit(recovery, "_Replay.check_synced_link",
             "self._synced_link_seen != mark.link", "False"),
    )),
    Bug("an older copy of the log is taken for the log, by both rules", "D9", _DAMAGED, (
        Edit(recovery, "_check_end", "known is not None and known > replay.end", "False"),
        Edit(recovery, "_Replay.check_synced_link",
             "self._synced_link_seen != mark.link", "False"),
    )),
    Bug("damage is cut as if it were torn, by every rule", "D9", _DAMAGED, (
        Edit(recovery, "_check_end", "known is not None and known > replay.end", "False"),
        Edit(recovery, "_check_end", "if not is_tear:", "if False:"),
        Edit(recovery, "_Replay.check_synced_link",
             "self._synced_link_seen != mark.link", "False"),
    )),
    Bug("the mark of what is synced runs ahead of the sync", "D8", _CRASHING, (
        Edit(wal, "Wal.sync", "for file in unsynced:",
             "self._synced_file.write(mark)\n            self._synced_file.datasync()\n"
             "            for file in unsynced:"),
    )),
    Bug("a damaged mark of what is synced is believed", "D9", _DAMAGED, (
        Edit(synced_file, "newest_mark",
             "len(check) < _CHECK.size or crc32(slot) != _CHECK.unpack(check)[0]",
             "len(check) < _CHECK.size"),
    )),
    Bug("a snapshot gets its name before it is durable", "D9", _SNAPSHOTTING, (
        Edit(snapshots, "SnapshotStore._install", "writing.file.datasync()", "pass"),
    )),
    Bug("the name of a snapshot is not synced before the old one goes", "A7", _SNAPSHOTTING, (
        Edit(snapshots, "SnapshotStore._install",
             "self._files.sync_directory(self._directory)", "pass"),
    )),
    Bug("the old snapshot goes before the new one is verified", "A7", _SNAPSHOTTING, (
        Edit(snapshots, "SnapshotStore._install", "writing.file.datasync()",
             "[self._files.remove(each) for each in self._paths()]\n"
             "    self._files.sync_directory(self._directory)\n    writing.file.datasync()"),
    )),
    Bug("the checksum of a snapshot is not checked", "D9", _SNAPSHOTTING, (
        Edit(snapshots, "_verified", "hashlib.sha256(payload).digest() != sha256", "False"),
    )),
)  # fmt: skip
