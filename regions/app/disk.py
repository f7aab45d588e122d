"""What the agent writes, on threads of its own: a disk that hangs must not stop the clock.

Tokens are retried until they are durable; meanwhile they do not count. Only the newest is written.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from director.runtime.clock import boot_ms
from director.runtime.errors import ReasonedError
from director.runtime.logs import get_logger
from regions.actuators.proof_file import ProofFile
from regions.actuators.token_file import TokenFile
from regions.core.effects import KeepTokens
from regions.core.inputs import Input, TokensKept, WriteProved

RETRY_S = 0.5


class Disk:
    """Keeps tokens and proves writes for the core."""

    def __init__(
        self, tokens: TokenFile, proof: ProofFile, receive: Callable[[Input], None]
    ) -> None:
        self._tokens = tokens
        self._proof = proof
        self._receive = receive
        self._newest: KeepTokens | None = None
        self._is_refusing = False
        self._keeper: asyncio.Task[None] | None = None
        self._prover: asyncio.Task[None] | None = None
        # One thread each: a proof that hangs must not stand in the way of a promise.
        self._token_thread = ThreadPoolExecutor(1, thread_name_prefix="tokens")
        self._proof_thread = ThreadPoolExecutor(1, thread_name_prefix="proof")

    def keep(self, effect: KeepTokens) -> None:
        """Make the tokens durable, then say so."""
        self._newest = effect
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_newest(), name="token-keeper")

    def prove(self) -> None:
        """Write a little, and say whether it became durable."""
        self._prover = asyncio.create_task(self._prove(), name="write-prover")

    async def stop(self) -> None:
        """Let go of what still waits. A write that hangs is left to the end of the process."""
        for task in (self._keeper, self._prover):
            if task is not None:
                task.cancel()
        self._token_thread.shutdown(wait=False, cancel_futures=True)
        self._proof_thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.sleep(0)

    async def _keep_newest(self) -> None:
        loop = asyncio.get_running_loop()
        written: KeepTokens | None = None
        log = get_logger()
        is_failing = False
        while (effect := self._newest) is not None and effect is not written:
            try:
                await loop.run_in_executor(self._token_thread, self._tokens.write, effect.tokens)
            except (OSError, ReasonedError) as error:
                if not is_failing:
                    log.warning("tokens_not_kept", reason=str(error))
                is_failing = True
                await asyncio.sleep(RETRY_S)
                continue
            if is_failing:
                log.info("tokens_kept_again")
            is_failing = False
            written = effect
            self._receive(TokensKept(effect.write_number))

    async def _prove(self) -> None:
        started_at_ms = boot_ms()
        succeeded = await asyncio.get_running_loop().run_in_executor(
            self._proof_thread, lambda: self._proof.prove(now_ms=started_at_ms)
        )
        if succeeded == self._is_refusing:  # one line per change
            self._is_refusing = not succeeded
            log = get_logger()
            if succeeded:
                log.info("disk_writable_again")
            else:
                log.error("disk_not_writable", reason="full, or it refused; no lease is renewed")
        self._receive(WriteProved(succeeded, started_at_ms))
