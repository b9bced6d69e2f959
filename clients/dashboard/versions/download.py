"""A version as one file: `/versions/download?version=…`, a zip that plain PEFT (or transformers, if it is merged) loads once unpacked.

Nothing is written on this machine, and no more than a piece of a file is held at a time. Knows the archive's form, no component but the link.
"""

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import urlencode

from dash import html
from dash.development.base_component import Component
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.versions.choice import named
from guessbook.clients.errors import GuessbookError
from guessbook.proto.history_pb2 import Version

PATH = "/versions/download"
METADATA = "metadata.json"


def link(version: str) -> Component:
    return html.A(
        [html.Span(className="icon icon-download"), "Download"],
        href=f"{PATH}?{urlencode({'version': version})}",
        className="button-link",
    )


def route(server: FastAPI, queries: Queries) -> None:
    """To be called before Dash has the server, whose pages take every path that is left."""

    async def download(version: str) -> Response:
        try:
            found = named(list((await queries.book.versions(deleted=True)).versions), version)
        except GuessbookError as error:
            return PlainTextResponse(f"{problem.told(error)}\n", 503)
        if found is None:
            return PlainTextResponse(f"There is no version {version!r}.\n", 404)
        if refused := refusal(found):
            return refused
        named_file = {"content-disposition": f'attachment; filename="{found.name}.zip"'}
        return StreamingResponse(archive(queries.book, found), media_type="application/zip", headers=named_file)

    server.add_api_route(PATH, download, methods=["GET"], response_model=None)


def refusal(version: Version) -> Response | None:
    """Why it can't be had as an archive, if anything."""
    if version.purged:
        return PlainTextResponse(f"The files of {version.name} are gone. A backup from before has them.\n", 410)
    outside = next((file.path for file in version.files if _leaves(file.path)), None)
    if outside is None:
        return None
    told = f"{version.name} names a file outside its folder, {outside!r}: unpacked, it could overwrite another. Nothing was sent."
    return PlainTextResponse(f"{told}\n", 409)


def _leaves(path: str) -> bool:
    """Whether it is none of a file in the folder, on any system that the archive may be unpacked on."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in path


async def archive(book: AsyncGuessbook, version: Version) -> AsyncIterator[bytes]:
    """The bytes of the zip. Each file's are verified by the server while it reads them; if that fails, so does the download."""
    written = _Pieces()
    made = datetime.fromtimestamp(version.created_at_us / 1e6).timetuple()[:6]
    with zipfile.ZipFile(written, "w") as zipped:  # stored: weights don't get smaller
        for file in version.files:
            entry = zipfile.ZipInfo(f"{version.name}/{file.path}", made)
            with zipped.open(entry, "w", force_zip64=True) as target:
                async for piece in book.download(file.sha256):
                    target.write(piece)
                    yield written.taken()
        zipped.writestr(zipfile.ZipInfo(f"{version.name}/{METADATA}", made), version.metadata)
    yield written.taken()


class _Pieces:
    """A file that can only be written to; what was written is taken away piece by piece."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        data, self._written = bytes(self._written), bytearray()
        return data
