"""A server with TLS that runs programs while clients connect; for `python -m`."""

import regions  # isort: skip  # first, as in every agent: it sets what gRPC reads when imported

import asyncio
import tempfile
from pathlib import Path

import uvloop

from tests.security.guarded import a_guarded_server
from tests.support.pki import CLIENT

assert regions.__name__ == "regions"
ROUNDS = 40


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        async with a_guarded_server(Path(name)) as guarded:
            tls = guarded.pki.tls(CLIENT)

            async def connect() -> None:
                for _ in range(ROUNDS):
                    async with guarded.channel(tls) as channel:
                        await guarded.echo(channel)

            async def spawn() -> None:
                for _ in range(ROUNDS):
                    done = await asyncio.create_subprocess_exec("true")
                    await done.wait()

            async with guarded.channel(tls) as kept:
                await asyncio.gather(connect(), connect(), spawn(), spawn())
                await guarded.echo(kept)


if __name__ == "__main__":
    uvloop.run(main())
    print("done")  # noqa: T201 - the answer
