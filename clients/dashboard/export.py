"""`/export`: a file of exactly the examples that a view leaves. Knows the formats and the view, no component.

Rows go out as they are read, so that a large export takes no memory and begins at once; where one fails in the middle, the answer is broken off and the
browser says so. How many of how many examples it holds stands in its name.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from guessbook.clients.client import Guessbook
from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import shown
from guessbook.clients.dashboard.view import CHANGES, View
from guessbook.clients.errors import GuessbookError, NotFound
from guessbook.clients.export.formats import Format, write
from guessbook.clients.export.selection import Filter, Selection
from guessbook.clients.report.material import Part, gather
from guessbook.clients.report.page import page
from guessbook.proto.history_pb2 import At

REPORT = "report"
MEDIA = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.JSONL: "application/jsonl",
    Format.PARQUET: "application/vnd.apache.parquet",
}
PIECE = 64 * 1024
AT_ONCE = 2  # exports; one whose reader has stopped reading holds its place and its thread

_threads = ThreadPoolExecutor(AT_ONCE, "export")  # of their own: everything else on the pages needs the others


@dataclass(frozen=True)
class Wanted:
    """What is exported: these examples of this run, at this point."""

    run: str
    at: At | None
    filter: Filter
    words: str  # the filter for people; empty: all examples


def route(server: FastAPI, queries: Queries) -> None:
    """Answers `/export?format=csv&<the query of the page>`. Every role may ask, as it may read all of it."""
    places = asyncio.Semaphore(AT_ONCE)

    async def export(request: Request) -> Response:
        format = request.query_params.get("format", "")
        if format != REPORT and format not in [known.value for known in MEDIA]:
            known = ", ".join([*(known.value for known in MEDIA), REPORT])
            return PlainTextResponse(f"There is no format {format!r}. There are: {known}.\n", 400)
        if places.locked():
            return PlainTextResponse(
                f"{AT_ONCE} exports are under way. Wait until one is done.\n", 429, {"retry-after": "10"}
            )
        view = View.parse(request.url.query)
        book = queries.blocking_book()
        try:
            wanted = await _wanted(queries, view)
            if format == REPORT:
                async with places:
                    return await _report(book, wanted)
            return await _observations(book, wanted, Format(format), places)
        except BaseException as error:
            await asyncio.to_thread(book.close)
            if isinstance(error, GuessbookError):
                return PlainTextResponse(f"Nothing was exported. {problem.told(error)}\n", 409)
            raise

    server.add_api_route("/export", export, methods=["GET"])


async def _wanted(queries: Queries, view: View) -> Wanted:
    run = view.run or (await queries.status(view.at)).run.id
    if not run:
        raise NotFound("there is no run yet", "Queue a dataset: guessbook submit FILE")
    asked = await queries.filter(run, view)
    moment: At | None = asked.pop("at")
    return Wanted(run, moment, Filter(**asked), words(view))


def words(view: View) -> str:
    """The filter for people; empty: all examples."""
    change = next((word for word, change in CHANGES.items() if change == view.change), "")
    box = view.box
    parts = [
        shown(view.state).label.lower() if view.state is not None else "",
        f"with “{view.q}” in prompt, answer or a guess" if view.q else "",
        f"of category “{view.category}”" if view.category else "",
        f"{change.replace('_', ' ')} since the snapshot compared with" if change else "",
        f"of the insight {view.insight}" if view.insight else "",
        f"confidence {box.confidence_from:g} to {box.confidence_to:g}, variability {box.variability_from:g} to {box.variability_to:g}"
        if box
        else "",
        "held out" if view.held_out else "",
    ]
    return ", ".join(part for part in parts if part)


async def _report(book: Guessbook, wanted: Wanted) -> Response:
    def made() -> tuple[str, bytes]:
        with book:
            selection = Selection(book, wanted.run, wanted.at, wanted.filter)
            part = Part(vars(wanted.filter), wanted.words) if wanted.words else None
            return name(selection, "html"), page(gather(book, wanted.run, selection.at, part)).encode()

    file_name, content = await asyncio.to_thread(made)
    return Response(content, media_type="text/html; charset=utf-8", headers=_named(file_name))


async def _observations(book: Guessbook, wanted: Wanted, kind: Format, places: asyncio.Semaphore) -> Response:
    selection = await asyncio.to_thread(Selection, book, wanted.run, wanted.at, wanted.filter)
    file_name = await asyncio.to_thread(name, selection, kind.value)

    def written(file: BinaryIO) -> None:
        with book:
            write(selection, kind, file)

    # "identity": to compress it on its way would cost more than the way, and hold up the pages meanwhile.
    headers = {**_named(file_name), "content-encoding": "identity"}
    return StreamingResponse(pieces(written, places), media_type=MEDIA[kind], headers=headers)


def name(selection: Selection, ending: str) -> str:
    """Of the file: dataset, run, how many of how many examples, and the position of the log."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", selection.run.name.rpartition(".")[0] or selection.run.name).strip("-")
    many = f"{selection.matching()}-of-{selection.total()}-examples"
    parts = [stem, selection.run.id, many, f"at-{selection.at.position}"]
    return "_".join(part for part in parts if part) + f".{ending}"


def _named(file_name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{file_name}"'}


async def pieces(written: Callable[[BinaryIO], None], places: asyncio.Semaphore) -> AsyncGenerator[bytes]:
    """What a blocking function writes to a file, while it writes it, in one of the places. It waits for its reader; who goes away ends it with a
    BrokenPipeError.

    Raises what the function raises, after what it wrote before.
    """
    async with places, aclosing(_piped(written)) as piped:
        async for piece in piped:
            yield piece


async def _piped(written: Callable[[BinaryIO], None]) -> AsyncGenerator[bytes]:
    read_end, write_end = os.pipe()

    def writing() -> None:
        with os.fdopen(write_end, "wb") as file:
            written(file)

    reader = asyncio.StreamReader(limit=PIECE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    task = loop.run_in_executor(_threads, writing)
    # Where nobody reads on, nobody asks how it ended either.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        while piece := await reader.read(PIECE):
            yield piece
        await task
    finally:
        transport.close()
