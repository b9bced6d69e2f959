"""Files that a browser sends: streamed to disk, and kept for as long as a submit may need them. Knows no dataset.

The bytes are the request's body, so that a large file is in nobody's memory; its name is in the query.
"""

import asyncio
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from guessbook.clients.dashboard import gate, numbers, role
from guessbook.clients.errors import Invalid

MOST_BYTES = 2 * 10**9
KEPT = 4  # the newest; older ones go, once nobody reads them
BLOCK = 1024 * 1024


class TooLarge(Exception):
    """`str(error)` says how large it may be and what to do instead."""

    def __init__(self) -> None:
        super().__init__(
            f"The file is larger than {numbers.size(MOST_BYTES)}, which is what the browser may send. "
            "Give its path below instead, or use: guessbook submit FILE"
        )


class Uploads:
    """In a folder of its own, emptied at first, since who was killed left theirs, and removed at the end.

    On the disk of the data folder: what is called temporary is memory on many machines.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        """`folder` is made at the first upload. Raises OSError if what is in it can't be removed."""
        self.folder = folder
        self.close()
        self._most_bytes = most_bytes
        self._files: dict[str, Path] = {}
        self._readers: Counter[str] = Counter()

    @contextmanager
    def reading(self, upload: str) -> Iterator[Path]:
        """Where it lies, for as long as it is read. Raises Invalid if it is not kept any more."""
        if upload not in self._files:
            raise Invalid("the file that was uploaded is not here any more", "Choose it again.")
        self._readers[upload] += 1
        try:
            yield self._files[upload]
        finally:
            self._readers[upload] -= 1

    async def receive(self, body: AsyncIterator[bytes]) -> tuple[str, int]:
        """The upload's id, and how many bytes it has. Raises TooLarge; what came up to then, or was cut off, is removed.

        Raises OSError where there is no room, or nothing can be written.
        """
        upload = secrets.token_urlsafe(16)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / upload
        try:
            size = await self._write(path, body)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._files[upload] = path
        for old in list(self._files)[:-KEPT]:
            if not self._readers[old]:
                self._files.pop(old).unlink(missing_ok=True)
        return upload, size

    async def _write(self, path: Path, body: AsyncIterator[bytes]) -> int:
        size = 0
        with path.open("wb") as file:
            async for block in _blocks(body):
                size += len(block)
                if size > self._most_bytes:
                    raise TooLarge
                await asyncio.to_thread(file.write, block)
        return size

    def close(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


async def _blocks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces: each is written by another thread."""
    held = bytearray()
    async for piece in body:
        held += piece
        if len(held) >= BLOCK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def register(server: FastAPI, uploads: Uploads) -> None:
    async def upload(request: Request) -> JSONResponse:
        if not role.may_steer():
            return JSONResponse({"error": "With a read-only link nothing can be submitted."}, 403)
        try:
            made, size = await uploads.receive(request.stream())
        except TooLarge as error:
            return JSONResponse({"error": str(error)}, 413)
        except OSError as error:
            return JSONResponse({"error": _not_kept(error, uploads.folder)}, 507)
        return JSONResponse({"upload": made, "bytes": size})

    server.add_api_route(gate.STREAMED, upload, methods=["POST"], include_in_schema=False, response_model=None)


def _not_kept(error: OSError, folder: Path) -> str:
    return (
        f"The file can't be kept: {error.strerror or error}. Nothing was submitted. Make room in {folder}, where it is to be written, "
        "and choose the file again, or give its path below instead."
    )
