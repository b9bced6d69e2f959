"""Has the log's checkpoints signed from time to time and at the stop, and proofs made, each in a process of its own. Decides nothing.

The processes read the log beside this one: hashing the log takes nothing from whoever appends.
"""

import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from guessbook.proto.log_pb2 import ProveRequest, ProveResponse
from guessbook.server.decide.rejection import Invalid
from guessbook.server.live_book import LiveBook
from guessbook.store.errors import Contradicted
from guessbook.store.home import Home

LOOK_S = 60.0  # checkpoints are never closer together
EVENTS = 100_000  # as many new ones are signed at the next look
SIGN_S = 600.0  # and any new one after this time
STOP_S = 10.0  # what a stop waits for the last checkpoint
_IMPOSSIBLE, _CONTRADICTED = 2, 3  # exit codes of guessbook.store.notary

_log = logging.getLogger(__name__)


class Notary:
    """`folders`: where checkpoints are written besides the data folder. Raises NotADirectoryError."""

    def __init__(
        self, live: LiveBook, home: Home, folders: Sequence[Path], *, look_s: float = LOOK_S, sign_s: float = SIGN_S
    ) -> None:
        self._live = live
        for folder in folders:
            if not folder.is_dir():  # made here it could lie where a disk should have been mounted
                raise NotADirectoryError(f"{folder} is no folder, so no signed checkpoint can be kept in it")
        self._look_s, self._sign_s = look_s, sign_s
        self._home = home
        self._places = [word for folder in folders for word in ("--folder", str(folder))]
        self._one = asyncio.Lock()  # processes that hash wait for each other in any case
        self._watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Signs the log from time to time until `close`."""
        self._watching = asyncio.create_task(self._watch())

    async def prove(self, request: ProveRequest) -> ProveResponse:
        """Raises Invalid where there is nothing to prove, Contradicted where the log is not what was signed."""
        if request.HasField("old_checkpoint"):
            words, given = ["extends"], request.old_checkpoint.encode()
        elif 1 <= request.position <= self._live.log.head.position:
            words, given = ["prove", str(request.position)], b""
        else:
            head = self._live.log.head.position
            raise Invalid(f"there is no position {request.position}; the log ends at {head}", "Ask for one it has.")
        code, output, problem = await self._run(words, given)
        if code == _IMPOSSIBLE:
            raise Invalid(problem, "Ask for a position or a signed checkpoint of this log.")
        if code == _CONTRADICTED:
            raise Contradicted(problem)
        if code:
            raise OSError(f"the process that makes proofs ended with code {code}: {problem}")
        return ProveResponse.FromString(output)

    async def close(self, *, sign: bool) -> None:
        """Signs the log as it is at the end, if that does not take long. The log must be whole."""
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if sign:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._sign()
            except TimeoutError:
                _log.warning("the last events are not signed yet; the server does it when it runs again")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        signed, at = 0, loop.time()
        while True:
            await asyncio.sleep(self._look_s)
            head = self._live.log.head.position
            if head - signed >= EVENTS or (head > signed and loop.time() - at >= self._sign_s):
                await self._sign()
                signed, at = head, loop.time()

    async def _sign(self) -> None:
        code, _, problem = await self._run([*self._places, "sign"], b"")
        if code:
            _log.error("no checkpoint was signed, or not everywhere: %s. The log itself goes on.", problem)

    async def _run(self, words: Sequence[str], given: bytes) -> tuple[int, bytes, str]:
        async with self._one:
            return await self._run_alone(words, given)

    async def _run_alone(self, words: Sequence[str], given: bytes) -> tuple[int, bytes, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "guessbook.store.notary",
            str(self._home.root),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, said = await process.communicate(given)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output, said.decode(errors="replace").strip()
