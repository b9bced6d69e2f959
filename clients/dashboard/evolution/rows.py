"""`/rows`: a part of the list of examples, as the grid shows it. Asked past Dash by examples.js: the grid's wrapper keeps one question at a
time and loses answers, and a press would wait until Dash has told everybody else of it."""

from collections.abc import Sequence
from math import isnan
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from guessbook.clients.dashboard import numbers, problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import shown
from guessbook.clients.dashboard.view import View, number
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Example

BLOCK = 100  # rows of one request
LAST = 2**31  # more rows than a run can have
LONGEST_TEXT = 300  # characters of a cell
LONGEST_STRIP = 16  # snapshots in a row: the first, and the latest of the others


def route(server: FastAPI, queries: Queries) -> None:
    """Answers `/rows?from=0&to=100&run=…&<the query of the page>` with {rows, matching, told}, where `told` says how many match, or with {problem}."""

    async def rows(request: Request) -> Response:
        first, end = (number(request.query_params.get(name)) for name in ("from", "to"))
        view = View.parse(request.url.query)
        if first is None or end is None or not first < end < LAST or not view.run:
            return PlainTextResponse("Say which rows of which run: /rows?run=run-000001&from=0&to=100\n", 400)
        try:
            page = await queries.examples(view.run, view, first, min(end - first, BLOCK))
        except GuessbookError as error:
            return JSONResponse({"problem": problem.told(error)})
        found = [row(example, page.snapshot_steps) for example in page.examples]
        told = matching(page.matching, page.total)
        return JSONResponse({"rows": found, "matching": page.matching, "told": told})

    server.add_api_route("/rows", rows)


def matching(many: int, total: int) -> str:
    return (
        f"{numbers.count(total)} examples"
        if many == total
        else f"{numbers.count(many)} of {numbers.count(total)} examples"
    )


def row(example: Example, snapshot_steps: Sequence[int]) -> dict[str, Any]:
    """One row of the grid. The strip has one state a snapshot, oldest first; `left_out`: so many behind its first."""
    strip = [
        {"step": step, "word": shown(state).word, "label": shown(state).label}
        for step, state in zip(snapshot_steps, example.strip, strict=False)
    ]
    left_out = max(len(strip) - LONGEST_STRIP, 0)
    state = shown(example.state)
    seen = example.HasField("latest")
    return {
        "index": example.index,
        "state": {"word": state.word, "label": state.label},
        "prompt": cut(example.prompt),
        "expected": cut(example.expected),
        "guess": {"text": cut(example.latest.guess), "correct": example.latest.correct} if seen else None,
        "category": cut(example.category),
        "strip": {"marks": strip[:1] + strip[1 + left_out :], "left_out": left_out},
        "loss": {
            "latest": numbers.loss(example.latest.loss) if seen else "",
            "line": [None if isnan(loss) else round(loss, 3) for loss in example.losses],
        },
        **measures(example),
    }


def measures(example: Example) -> dict[str, str]:
    """What the list can be in the order of, as a cell says it; "–" where there is nothing to say."""
    losses = [loss for loss in example.losses if not isnan(loss)]
    change = losses[-1] - losses[0] if losses else 0.0
    return {
        "change": f"{'+' if change > 0 else numbers.MINUS if change < 0 else '±'}{abs(change):.2f}" if losses else "–",
        "learned": f"step {numbers.count(example.learned_step)}" if example.HasField("learned_step") else "–",
        "regressed": f"step {numbers.count(example.regressed_step)}" if example.HasField("regressed_step") else "–",
        "presentations": numbers.count(example.presentations_to_learn)
        if example.HasField("presentations_to_learn")
        else "–",
        "forgetting": f"{numbers.count(example.forgetting_events)} ×" if example.forgetting_events else "–",
        "confidence": f"{example.map_confidence:.2f}",
        "variability": f"{example.map_variability:.2f}",
    }


def cut(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "…"
