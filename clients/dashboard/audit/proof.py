"""Hands out the proof of one event as a file: `/proof?position=42`, what `guessbook prove 42` writes. Knows the route, not how proofs are made."""

import asyncio

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from guessbook.clients import proof_file
from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError, Invalid

MOST = 2  # asked for at a time: one that is made, one that waits
RETRY_S = 5
LONGEST_POSITION = 19  # digits; all such numbers are smaller than 2^64


def route(server: FastAPI, queries: Queries) -> None:
    one_at_a_time = asyncio.Lock()  # each is a process of the server's, and a guest may ask for any
    asked = 0

    async def proof(position: str = "") -> Response:
        nonlocal asked
        if not (position.isascii() and position.isdigit() and len(position) <= LONGEST_POSITION):
            return _text("Name the position of an event: /proof?position=42", 400)
        if asked == MOST:
            busy = _text("Other proofs are being made. Ask again in some seconds.", 429)
            busy.headers["retry-after"] = str(RETRY_S)
            return busy
        asked += 1
        try:
            async with one_at_a_time:
                return await _proof(queries, int(position))
        finally:
            asked -= 1

    server.add_api_route("/proof", proof)


async def _proof(queries: Queries, position: int) -> Response:
    try:
        found = await queries.book.prove(position)
    except GuessbookError as error:
        return _text(problem.told(error), 404 if isinstance(error, Invalid) else 409)
    name = f'attachment; filename="proof-{position}.json"'
    return Response(proof_file.text(found), media_type="application/json", headers={"content-disposition": name})


def _text(words: str, status: int) -> Response:
    return PlainTextResponse(f"{words}\n", status)
