"""Runs the sample services of one region: `python -m regions.sample --help`."""

import argparse
import json
import signal
import threading
from pathlib import Path

from director.runtime.clock import boot_ms
from director.runtime.loopback import ensure_loopback
from director.runtime.tls import TlsFiles, TlsPaths
from regions.sample.chat import Chat, ChatServer
from regions.sample.embed import serve as serve_embed
from regions.sample.gate_client import GateClient
from regions.sample.journal import Journal
from regions.sample.load_meter import LoadMeter

_LOAD_SECONDS = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m regions.sample",
        description="Run the sample services chat (HTTP) and embed (gRPC) of one region.",
        epilog="example: python -m regions.sample --region eu-west1 --data-dir /tmp/eu-west1 "
        "--agent 127.0.0.1:7540 --chat 127.0.0.1:7542 --embed 127.0.0.1:7543",
    )
    parser.add_argument("--region", required=True, help="name of the region")
    parser.add_argument("--data-dir", required=True, type=Path, help="where the journal is kept")
    parser.add_argument("--agent", required=True, help="gRPC address of the agent (the gate)")
    parser.add_argument("--chat", help="HTTP address of chat; not run when left out")
    parser.add_argument("--embed", help="gRPC address of embed; not run when left out")
    parser.add_argument(
        "--peer", action="append", default=[], help="REGION=ADDRESS of chat elsewhere (repeat)"
    )
    for flag, said in (
        ("--tls-cert", "own certificate"),
        ("--tls-key", "its key"),
        ("--tls-ca", "authorities that are trusted"),
    ):
        parser.add_argument(flag, type=Path, help=f"{said}, PEM; for an agent with TLS")
    parser.add_argument("--trust-domain", default="", help="of the agent")
    return parser.parse_args()


def _tls(arguments: argparse.Namespace) -> TlsFiles | None:
    if arguments.tls_cert is None:
        return None
    return TlsFiles(
        TlsPaths(arguments.tls_cert, arguments.tls_key, arguments.tls_ca, arguments.trust_domain)
    )


def _run_chat(arguments: argparse.Namespace) -> None:
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    gate = GateClient(arguments.agent, "chat", _tls(arguments), arguments.region)
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    chat = Chat(arguments.region, gate, Journal(arguments.data_dir / "chat.jsonl"), peers)
    host, port = arguments.chat.rsplit(":", 1)
    server = ChatServer((host, int(port)), chat)
    gate.start()
    chat.start()
    threading.Thread(target=server.serve_forever, name="chat", daemon=True).start()


def _say_load(path: Path, meter: LoadMeter) -> None:
    """Leave the load of embed, which speaks gRPC only, where its agent can read it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(meter.load()))
    fresh.replace(path)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for address in filter(None, (arguments.chat, arguments.embed)):
        ensure_loopback(address)
    if arguments.chat:
        _run_chat(arguments)
    meter = LoadMeter(boot_ms)
    server = serve_embed(arguments.embed, arguments.region, meter) if arguments.embed else None
    while not stopping.wait(_LOAD_SECONDS):
        if server is not None:
            _say_load(arguments.data_dir / "embed.load.json", meter)
    if server is not None:
        server.stop(grace=0.5)


if __name__ == "__main__":
    main()
