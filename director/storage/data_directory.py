"""A replica's data directory: lock, identity, log and snapshots, opened in the one right order.

The order matters at the first start. The identity comes first, the log second, and the note
that the log exists last: so a crash in between leaves a directory that starts afresh under the
same incarnation, having answered nobody, while a log that disappears later is noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from director.raft.messages import SnapshotMark
from director.runtime.files import OsFiles
from director.storage import identity as identities
from director.storage.errors import CorruptSnapshotError
from director.storage.snapshots import SnapshotStore
from director.storage.wal import Wal, WalOptions

if TYPE_CHECKING:
    from pathlib import Path

    from director.raft.messages import Membership, ReplicaId
    from director.runtime.files import Closeable, FileSystem

_LOG = "log"
_SNAPSHOTS = "snapshots"


class DataDirectory:
    """Everything durable of one replica. Held by one process until closed.

    Attributes:
        path: The directory.
        incarnation: Drawn when the directory was created; a wiped one gets a new one.
        is_new: Whether the log was created by this very opening.
        wal: The log.
        snapshots: The snapshots. ``wal.snapshot_mark()`` is the newest one's mark.
        snapshot: The newest snapshot's payload as found at opening; None if there is none.
    """

    def __init__(  # noqa: PLR0913 - what ``open`` puts together
        self,
        *,
        path: Path,
        lock: Closeable,
        incarnation: str,
        is_new: bool,
        wal: Wal,
        snapshots: SnapshotStore,
        snapshot: bytes | None,
    ) -> None:
        """Use ``open``."""
        self.path = path
        self.incarnation = incarnation
        self.is_new = is_new
        self.wal = wal
        self.snapshots = snapshots
        self.snapshot = snapshot
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        fleet_id: str,
        replica_id: ReplicaId,
        founding: Membership,
        files: FileSystem | None = None,
        options: WalOptions | None = None,
    ) -> Self:
        """Open the directory, creating whatever a first start needs.

        Args:
            path: The directory; created if it does not exist.
            fleet_id: The fleet this replica belongs to.
            replica_id: Its name.
            founding: The membership an empty log begins with. Ignored if there is a log. A
                replica that joins a running fleet founds nothing: its voters are the fleet's.
            files: The file system; None means the real one.
            options: Sizes of the log.

        Raises:
            DirectoryInUseError: Another process holds it.
            WrongDirectoryError: It belongs to another replica or fleet.
            CorruptLogError: The log is damaged or missing.
            CorruptSnapshotError: The snapshot the log begins behind is damaged or missing.
            CorruptFileError: The identity is damaged.
            DiskFullError: There is no room for a new log.
            OSError: The disk failed.
        """
        files = OsFiles() if files is None else files
        if not files.exists(path):
            files.make_directory(path)
            files.sync_directory(path.parent)
        lock = files.lock(path)
        wal: Wal | None = None
        try:
            identity = identities.load_or_create(
                files, path, fleet_id=fleet_id, replica_id=replica_id
            )
            snapshots = SnapshotStore(files, path / _SNAPSHOTS)
            if identity.log_created:
                wal = Wal.open(files, path / _LOG, identity.owner, options=options)
            else:
                wal = Wal.create(
                    files,
                    path / _LOG,
                    identity.owner,
                    SnapshotMark(index=0, term=0, membership=founding),
                    options=options,
                )
                identities.remember_log_created(files, path, identity)
            payload = _reconciled(path / _SNAPSHOTS, wal, snapshots)
        except BaseException:
            if wal is not None:
                wal.close()
            lock.close()
            raise
        return cls(
            path=path,
            lock=lock,
            incarnation=identity.owner.incarnation,
            is_new=not identity.log_created,
            wal=wal,
            snapshots=snapshots,
            snapshot=payload,
        )

    def close(self) -> None:
        """Make the log durable, close it, and let go of the directory.

        Raises:
            StorageFailedError: The last sync failed. The directory is let go of all the same.
        """
        try:
            self.wal.close()
        finally:
            self._lock.close()


def _reconciled(directory: Path, wal: Wal, snapshots: SnapshotStore) -> bytes | None:
    """Bring log and snapshots together after a stop between saving one and noting it."""
    latest = snapshots.latest()
    mark = wal.snapshot_mark()
    if latest is None or latest[0].index < mark.index:
        if mark.index == 0:
            return None
        raise CorruptSnapshotError(
            directory, 0, f"the log begins behind a snapshot at {mark.index}, which is missing"
        )
    if latest[0].index > mark.index:
        # Saved and verified, but the stop came before the log knew.
        wal.install_snapshot(latest[0])
        wal.sync()
    elif latest[0] != mark:
        raise CorruptSnapshotError(
            directory, 0, f"the snapshot at {mark.index} is not the one the log names"
        )
    return latest[1]
