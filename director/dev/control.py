"""Loses and restores regions of a running fleet, from this process or through a Unix socket.

The socket speaks one JSON object per line in each direction:

    {"do": "describe"}                                  what runs where
    {"do": "lose", "region": "eu-west1", "how": "kill"} at_ms and the processes
    {"do": "restore", "region": "eu-west1"}

What a connection lost is restored when it closes, so that a drill whose process is killed leaves
no region behind (C8). Only the user who runs the fleet can open the socket.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from director.dev.supervisor import PREFIX, Fleet, FleetError, How

_LINE_BYTES_MAX = 65_536
_ANSWER_SECONDS_MAX = 10.0
# What the kernel allows for the path of a Unix socket, without the closing zero.
_PATH_BYTES_MAX = 107
SOCKET_NAME = "control.sock"


class ControlError(Exception):
    """The fleet cannot be reached through its socket, or refused."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A region that was lost: when, on this machine's boot-time clock, and which processes."""

    at_ms: int
    processes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What runs where in a fleet on this machine.

    Attributes:
        api_addresses: Where the directors answer.
        replicas_by_region: Names of the director replicas that are lost with a region.
        chat_by_region: Address of the sample service of each region.
    """

    data_dir: Path
    api_addresses: tuple[str, ...]
    replicas_by_region: dict[str, tuple[str, ...]]
    chat_by_region: dict[str, str]

    @property
    def journals(self) -> list[Path]:
        """The write logs that exist by now."""
        paths = (self.data_dir / region_id / "chat.jsonl" for region_id in self.chat_by_region)
        return [path for path in paths if path.exists()]


class Faults(Protocol):
    """Something that can lose a region and bring it back."""

    @property
    def layout(self) -> Layout:
        """What runs where."""
        ...

    async def lose(self, region_id: str, how: How) -> Loss:
        """Lose a region at once."""
        ...

    async def restore(self, region_id: str) -> None:
        """Bring it back; nothing happens when it is not lost."""
        ...


def layout_of(fleet: Fleet) -> Layout:
    """Return the layout of a fleet of this process."""
    plan = fleet.plan
    return Layout(
        data_dir=fleet.data_dir,
        api_addresses=plan.api_addresses,
        replicas_by_region={
            region.region_id: tuple(
                each.replica_id for each in plan.replicas if each.region_id == region.region_id
            )
            for region in plan.regions
        },
        chat_by_region={each.region_id: each.chat for each in plan.regions},
    )


class LocalFaults:
    """Faults of a fleet that this process supervises."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.layout = layout_of(fleet)

    async def lose(self, region_id: str, how: How) -> Loss:
        """Lose a region at once."""
        at_ms, names = self._fleet.lose(region_id, how)
        return Loss(at_ms, tuple(names))

    async def restore(self, region_id: str) -> None:
        """Bring it back."""
        self._fleet.restore(region_id)


class ControlServer:
    """Offers one fleet's faults on a socket in its data directory. An async context manager.

    Raises:
        ControlError: On entering: the path of the socket is too long for the kernel.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.path = fleet.data_dir / SOCKET_NAME
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "ControlServer":
        if len(str(self.path).encode()) > _PATH_BYTES_MAX:
            raise ControlError(
                f"{self.path} is longer than {_PATH_BYTES_MAX} bytes, which no Unix socket can be; "
                "choose a shorter data directory"
            )
        self.path.unlink(missing_ok=True)  # left behind by a fleet that was killed
        self._server = await asyncio.start_unix_server(
            self._serve, str(self.path), limit=_LINE_BYTES_MAX
        )
        self.path.chmod(0o600)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for session in tuple(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        lost: set[str] = set()
        try:
            while line := await _read_line(reader):
                writer.write(_encoded(self._answer(line, lost)))
                await writer.drain()
        except (ControlError, ConnectionError) as error:
            with contextlib.suppress(ConnectionError):
                writer.write(_encoded({"ok": False, "message": str(error)}))
        finally:
            self._sessions.discard(session)
            for region_id in sorted(lost):
                self._fleet.restore(region_id)
            writer.close()

    def _answer(self, line: bytes, lost: set[str]) -> dict[str, object]:
        try:
            request = json.loads(line)
        except ValueError:
            return {"ok": False, "message": "each line must be one JSON object"}
        match request:
            case {"do": "describe"}:
                return {"ok": True, **_described(layout_of(self._fleet))}
            case {"do": "lose", "region": str(region_id), "how": str(how)} if how in list(How):
                try:
                    at_ms, names = self._fleet.lose(region_id, How(how))
                except FleetError as error:
                    return {"ok": False, "message": str(error)}
                lost.add(region_id)
                return {"ok": True, "at_ms": at_ms, "processes": names}
            case {"do": "restore", "region": str(region_id)}:
                lost.discard(region_id)
                self._fleet.restore(region_id)
                return {"ok": True}
            case _:
                return {"ok": False, "message": "do is one of describe, lose, restore"}


class RemoteFaults:
    """Faults of a fleet that another process supervises, through its socket. Close it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, layout: Layout
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.layout = layout

    @staticmethod
    async def connect(path: Path) -> "RemoteFaults":
        """Open the socket at ``path``.

        Raises:
            ControlError: Nothing answers there.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=_LINE_BYTES_MAX)
        except OSError as error:
            raise ControlError(f"no fleet answers at {path}: {error.strerror}") from None
        try:
            layout = _layout_from(await _ask(reader, writer, {"do": "describe"}))
        except ControlError:
            writer.close()
            raise
        return RemoteFaults(reader, writer, layout)

    async def lose(self, region_id: str, how: How) -> Loss:
        """Lose a region at once.

        Raises:
            ControlError: The fleet refused or is gone.
        """
        request = {"do": "lose", "region": region_id, "how": str(how)}
        match await _ask(self._reader, self._writer, request):
            case {"at_ms": int(at_ms), "processes": list(names)}:
                return Loss(at_ms, tuple(str(name) for name in names))
            case other:
                raise ControlError(f"the fleet answered {other!r}")

    async def restore(self, region_id: str) -> None:
        """Bring it back.

        Raises:
            ControlError: The fleet is gone.
        """
        await _ask(self._reader, self._writer, {"do": "restore", "region": region_id})

    async def close(self) -> None:
        """Close the connection; the fleet restores what was lost through it."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def find_faults(
    addresses: Sequence[str], path: Path | None, *, folder: Path | None = None
) -> RemoteFaults | None:
    """Return the faults of the fleet whose directors answer at ``addresses``, if it runs here.

    Args:
        addresses: Endpoints of the directors that the drill is about.
        path: The socket, where it is known; None looks through the temporary directories.
        folder: Where those are; None means the system's.

    Raises:
        ControlError: ``path`` was given and nothing answers there.
    """
    if path is not None:
        return await RemoteFaults.connect(path)
    folder = folder or Path(tempfile.gettempdir())
    for candidate in sorted(folder.glob(f"{PREFIX}*/{SOCKET_NAME}")):
        with contextlib.suppress(ControlError, PermissionError):
            faults = await RemoteFaults.connect(candidate)
            if set(addresses) & set(faults.layout.api_addresses):
                return faults
            await faults.close()
    return None


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        raise ControlError(f"a line is at most {_LINE_BYTES_MAX} bytes") from None


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, str]
) -> dict[str, object]:
    try:
        writer.write(_encoded(dict(request)))
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            await writer.drain()
            answer = json.loads(await _read_line(reader) or b"null")
    except (OSError, ValueError, TimeoutError) as error:
        raise ControlError(f"the fleet does not answer: {error!r}") from None
    match answer:
        case {"ok": True, **rest}:
            return {str(key): value for key, value in rest.items()}
        case {"message": str(message)}:
            raise ControlError(message)
        case _:
            raise ControlError("the fleet closed the connection")


def _encoded(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _described(layout: Layout) -> dict[str, object]:
    return {
        "data_dir": str(layout.data_dir),
        "api_addresses": list(layout.api_addresses),
        "replicas_by_region": {
            key: list(value) for key, value in layout.replicas_by_region.items()
        },
        "chat_by_region": layout.chat_by_region,
    }


def _layout_from(answer: dict[str, object]) -> Layout:
    match answer:
        case {
            "data_dir": str(data_dir),
            "api_addresses": list(api_addresses),
            "replicas_by_region": dict(replicas),
            "chat_by_region": dict(chat),
        }:
            return Layout(
                Path(data_dir),
                tuple(str(each) for each in api_addresses),
                {str(key): tuple(str(each) for each in value) for key, value in replicas.items()},
                {str(key): str(value) for key, value in chat.items()},
            )
        case other:
            raise ControlError(f"the fleet describes itself as {other!r}")
