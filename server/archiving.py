"""Has the log's beginning moved into an archive, in an order that a crash at any point leaves whole. Knows no gRPC, and no byte of an archive.

1. The book at the cut is saved beside the archive: where the archive is moved away, a start goes on from it.
2. A process of its own writes the archive, durable, and reads it back.
3. The event that tells of it is committed, with the row by which frames are read from it from then on.
4. The frames are taken out of the log, some at a time.

A crash before 3 leaves files that nobody refers to; the next start removes them. A crash after 3 leaves frames in the log that nobody reads; the next
start takes them out.
"""

import asyncio
import sys

from guessbook.proto.control_pb2 import ArchiveHistoryRequest, ArchiveHistoryResponse
from guessbook.proto.events_pb2 import Event, HistoryArchived
from guessbook.proto.history_pb2 import At
from guessbook.server.decide.rejection import Invalid, Refused
from guessbook.server.live_book import LiveBook
from guessbook.store.log import Append

_IMPOSSIBLE = 2  # exit code of guessbook.store.archiving


class Archiving:
    """One archive at a time."""

    def __init__(self, live: LiveBook) -> None:
        self._live = live
        self._home = live.log.folder.parent
        self._one = asyncio.Lock()

    async def archive(self, request: ArchiveHistoryRequest, actor: str) -> ArchiveHistoryResponse:
        """Raises Invalid, Refused, LogErrors, OSError."""
        if not request.reason.strip():
            raise Invalid("a reason must be given: it stays in the log", "Say why the history is archived.")
        async with self._one:
            told = await self._run(request.to_position, "--dry-run")
            told.reason = request.reason
            if request.dry_run:
                return ArchiveHistoryResponse(archived=told)
            await self._live.save_cut(await self._live.at(At(position=told.last_position)))
            told = await self._run(told.last_position)
            told.reason = request.reason
            event = Event(subject="log", history_archived=told)
            receipt = await self._live.append(Append([event], actor, archive=told))
            while await self._live.drop_archived():
                pass
            return ArchiveHistoryResponse(archived=told, position=receipt.first_position)

    async def _run(self, to_position: int, *words: str) -> HistoryArchived:
        command = [sys.executable, "-m", "guessbook.store.archiving", str(self._home)]
        process = await asyncio.create_subprocess_exec(
            *command,
            "--to-position",
            str(to_position),
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        problem = said.decode(errors="replace").strip()
        if process.returncode == _IMPOSSIBLE:
            raise Refused(problem, "Nothing was changed.")
        if process.returncode:
            raise OSError(f"the archive was not written, and nothing was changed: {problem}")
        return HistoryArchived.FromString(output)
