"""Snapshots of the application's state: kept, sent and received, off the loop.

One at a time touches the store. The old state stays until the new one is verified on disk; only
then does Raft hear of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import ParamSpec, TypeVar

import grpc
import structlog

from director.consensus.embedded.link import PeerLink
from director.raft.messages import Message, SnapshotMark
from director.storage.errors import StorageError
from director.storage.snapshots import SnapshotOffer, SnapshotStore

log = structlog.get_logger()

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _off_loop(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, partial(function, *args, **kwargs))


class SnapshotTransfer:
    """The snapshots of one replica.

    Attributes:
        arrived: Payloads received and verified by mark, until Raft installs or ignores them.
    """

    def __init__(
        self, store: SnapshotStore, bytes_per_s: int, *, installed_index: Callable[[], int]
    ) -> None:
        """Use ``store`` for everything.

        Args:
            store: Where snapshots are kept.
            bytes_per_s: At most, to one peer.
            installed_index: Says which snapshot stands in place of the log now; 0 for none. The
                store may hold a newer one: it arrived, but Raft had a reason to ignore it.
        """
        self.arrived: dict[tuple[int, int], bytes] = {}
        self._store = store
        self._bytes_per_s = bytes_per_s
        self._installed_index = installed_index
        self._turn = asyncio.Lock()

    async def save(self, mark: SnapshotMark, framed: bytes) -> bool:
        """Keep the own state at ``mark``. False if a newer one is installed already.

        Raises:
            StorageError, OSError: It could not be kept; the one before is.
        """
        async with self._turn:
            if self._installed_index() >= mark.index:
                return False
            await _off_loop(self._store.save, mark, framed)
            return True

    async def receive(
        self, message: Message, offer: SnapshotOffer, rest: AsyncIterator[bytes]
    ) -> bool:
        """Take a snapshot in from the leader. Whether it was verified and kept."""
        if self._turn.locked():
            return False  # the leader tries again after the next heartbeat
        async with self._turn:
            try:
                if self._installed_index() >= offer.mark.index:
                    return False
                await _off_loop(self._store.receive_begin, offer)
                offset = 0
                async for chunk in rest:
                    await _off_loop(self._store.receive_chunk, offset, chunk)
                    offset += len(chunk)
                mark, framed = await _off_loop(self._store.receive_finish)
            except (StorageError, OSError) as error:
                log.warning("snapshot_refused", peer_id=message.sender, error=str(error))
                return False
            finally:
                # After an interrupted transfer. It does nothing behind a finished one.
                await _off_loop(self._store.receive_abort)
        log.info("snapshot_received", peer_id=message.sender, index=mark.index, bytes=len(framed))
        self.arrived[mark.index, mark.term] = framed
        return True

    def take(self, mark: SnapshotMark) -> bytes:
        """Take out what arrived for ``mark``, and forget what is older."""
        framed = self.arrived[mark.index, mark.term]
        self.forget_to(mark.index)
        return framed

    def forget_to(self, index: int) -> None:
        """Forget payloads up to ``index``: Raft has installed or ignored them."""
        for key in [key for key in self.arrived if key[0] <= index]:
            del self.arrived[key]

    async def send(self, link: PeerLink, message: Message) -> bool:
        """Send the newest snapshot to a peer. Whether it arrived."""
        reader = None
        try:
            reader = await _off_loop(self._store.reader)
            if reader is None:
                return False
            is_delivered = await link.send_snapshot(message, reader, self._bytes_per_s)
        except (grpc.RpcError, grpc.aio.UsageError, OSError, StorageError) as error:
            log.warning("snapshot_not_delivered", peer_id=message.recipient, error=str(error))
            return False
        finally:
            if reader is not None:
                reader.close()
        if is_delivered:
            log.info("snapshot_delivered", peer_id=message.recipient, index=reader.offer.mark.index)
        return is_delivered
