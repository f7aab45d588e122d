"""The HTTP port of a replica: its pages over the small server."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial

from director.client.watch import Source
from director.consensus.port import Standing
from director.core.state import State
from director.http.pages import Pages
from director.http.scrape import Counted, Scrape
from director.runtime.http_server import HttpServer
from director.runtime.https import following_context, peer_fault
from director.runtime.loopback import ensure_loopback
from director.runtime.release import release
from director.service.replica import Replica


class ReplicaView:
    """What the pages are answered from."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def state(self) -> State:
        """What is replicated, as of the last entry applied here."""
        return self._replica.state

    @property
    def failed(self) -> str:
        """Why the replica stopped itself; "" while it runs."""
        stopped = self._replica.stopped
        if not stopped.done():
            return ""
        return "the replica stopped itself; its log says why"

    @property
    def has_table(self) -> bool:
        """Whether there is a route table to answer from."""
        return self._replica.has_table.is_set()

    def standing(self) -> Standing:
        """Where the engine stands."""
        return self._replica.consensus.standing()

    def label(self) -> tuple[int, Source]:
        """Age of the view in milliseconds, and what it makes of an answer."""
        return self._replica.view.label()


async def open_http(
    replica: Replica, counted: Counted, address: str, *, allow_insecure: bool
) -> tuple[HttpServer | None, str]:
    """Open the port for probes and scrapes; return it and its address.

    On loopback it speaks plain HTTP: whoever is on this machine may look. Elsewhere it demands a
    certificate of the fleet, unless the replica serves everything without.

    Args:
        replica: What is shown.
        counted: What was counted.
        address: ``host:port``; "" opens nothing and returns None and "".
        allow_insecure: Speak plain HTTP where other machines can connect, too.

    Raises:
        OSError: The address cannot be listened at.
    """
    if not address:
        return None, ""
    scrape = Scrape(replica, counted, version=release(), tls=replica.settings.tls)
    tls: ssl.SSLContext | None = None
    refusal: Callable[[ssl.SSLObject], str] = _answers_all
    files = replica.settings.tls
    if files is not None and not is_loopback(address):
        tls = following_context(files)
        refusal = partial(peer_fault, trust_domain=files.trust_domain)
    server = HttpServer(Pages(ReplicaView(replica), scrape.text).answer, refusal=refusal)
    port = await server.start(address, tls=tls, allow_insecure=allow_insecure)
    return server, f"{address.rpartition(':')[0]}:{port}"


def _answers_all(_: ssl.SSLObject) -> str:
    return ""


def is_loopback(address: str) -> bool:
    """Whether only this machine can connect to ``address``."""
    try:
        ensure_loopback(address)
    except ValueError:
        return False
    return True


def http_faults(address: str, listen: str, peer_listen: str) -> Iterator[str]:
    """Yield what is wrong with the address of this port beside the others."""
    if address.startswith("unix:"):
        yield f"--http: {address} is a socket; probes and scrapes need HOST:PORT"
    elif address and not address.endswith(":0"):
        for word, other in (("--listen", listen), ("--peer-listen", peer_listen)):
            if address == other:
                yield f"{word} and --http are both {address}; give each a port of its own"
