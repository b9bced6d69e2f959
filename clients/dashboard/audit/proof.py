"""Hands out the proof of one event as a file: `/proof?position=42`, what `guessbook prove 42` writes. Knows the route, not how proofs are made."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from guessbook.clients import proof_file
from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError


def route(server: FastAPI, queries: Queries) -> None:
    async def proof(position: int) -> Response:
        try:
            found = await queries.book.prove(position)
        except GuessbookError as error:
            return PlainTextResponse(problem.told(error) + "\n", 409)
        name = f'attachment; filename="proof-{position}.json"'
        return Response(proof_file.text(found), media_type="application/json", headers={"content-disposition": name})

    server.add_api_route("/proof", proof)
