"""Runs the sample services of one region: `python -m regions.sample --help`."""

import argparse
import signal
import threading
from pathlib import Path

from director.runtime.loopback import ensure_loopback
from regions.sample.chat import Chat, ChatServer
from regions.sample.embed import serve as serve_embed
from regions.sample.gate_client import GateClient
from regions.sample.journal import Journal


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
    return parser.parse_args()


def _run_chat(arguments: argparse.Namespace) -> None:
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    gate = GateClient(arguments.agent, "chat")
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    chat = Chat(arguments.region, gate, Journal(arguments.data_dir / "chat.jsonl"), peers)
    host, port = arguments.chat.rsplit(":", 1)
    server = ChatServer((host, int(port)), chat)
    gate.start()
    chat.start()
    threading.Thread(target=server.serve_forever, name="chat", daemon=True).start()


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
    server = serve_embed(arguments.embed, arguments.region) if arguments.embed else None
    stopping.wait()
    if server is not None:
        server.stop(grace=0.5)


if __name__ == "__main__":
    main()
