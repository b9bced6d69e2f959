"""Has the server walk its log, and shows how far it is. There is one walk for all tabs, and it goes on when they leave the page."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from dash import Dash, Input, Output, ctx, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, problem, role
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError
from guessbook.proto.log_pb2 import VerifyResponse

LOOK_MS = 300  # how often the page looks at a walk that goes on


class Verification:
    """The last walk: at most one at a time. `told` is the last that the server said of it."""

    def __init__(self) -> None:
        self.told: VerifyResponse | None = None
        self.problem = ""  # why it came to no verdict
        self.ended_at = 0.0
        self._walk: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._walk is not None and not self._walk.done()

    def start(self, answers: AsyncIterator[VerifyResponse]) -> None:
        """`answers` are those of the server; while one walk goes on, no other begins. Raises Forbidden."""
        role.require_steering()
        if not self.running:
            self.told, self.problem = None, ""
            self._walk = asyncio.create_task(self._follow(answers))

    def cancel(self) -> None:
        """Raises Forbidden."""
        role.require_steering()
        if self._walk and self.running:
            self._walk.cancel()

    async def _follow(self, answers: AsyncIterator[VerifyResponse]) -> None:
        try:
            async for self.told in answers:
                pass
            if self.told is None or not self.told.done:
                self.problem = (
                    "The server ended the check without a verdict. Start it again; the server's log may say why."
                )
        except GuessbookError as error:
            self.problem = problem.told(error)
        except asyncio.CancelledError:
            self.problem = "Cancelled. Nothing was found up to there, which says nothing of the rest."
            raise
        finally:
            self.ended_at = time.time()


def card() -> Component:
    return html.Section(
        className="card verify",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2("Is the log whole?"),
                    html.Div(
                        className="right needs-right needs-now",
                        children=[
                            html.Button("Cancel", id="verify-cancel", className="button"),
                            html.Button("Verify the log", id="verify-start", className="button primary"),
                        ],
                    ),
                ],
            ),
            html.Div(id="verify-told", role="status"),
            dcc.Interval(id="verify-look", interval=LOOK_MS, disabled=True),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    verification = Verification()

    async def look(*_clicks_and_looks: int | None) -> tuple[Component, bool, bool, bool]:
        if ctx.triggered_id == "verify-start" and ctx.triggered[0]["value"]:
            verification.start(queries.book.verify())
        if ctx.triggered_id == "verify-cancel" and ctx.triggered[0]["value"]:
            verification.cancel()
            await asyncio.sleep(0)  # so that it says at once that it ended
        running = verification.running
        return view(verification), not running, running, not running

    app.callback(
        Output("verify-told", "children"),
        Output("verify-look", "disabled"),
        Output("verify-start", "disabled"),
        Output("verify-cancel", "disabled"),
        Input("verify-start", "n_clicks"),
        Input("verify-cancel", "n_clicks"),
        Input("verify-look", "n_intervals"),
    )(look)


def view(walk: Verification) -> Component:
    """How far the walk is, or what came of it."""
    told = walk.told
    if walk.running:
        checked, head = (told.position, told.head) if told else (0, 0)
        words = f"{numbers.count(checked)} of {numbers.count(head)} events checked" if head else "Reading the log …"
        named: dict[str, Any] = {"aria-label": "Events checked"}
        return html.Div([html.Progress(value=str(checked), max=str(head or 1), **named), html.P(words)])
    if walk.problem:
        return html.P(
            [html.Span(className="icon icon-warning"), html.Span(walk.problem)], className="verdict-line warned"
        )
    if told is None:
        words = (
            "Reads every event and checks checksums, the hash chain and the positions. Training goes on meanwhile. "
            "Against somebody who writes the whole log anew, compare it with a signed checkpoint that is kept elsewhere: "
        )
        return html.P([words, html.Code("guessbook verify --checkpoint FILE")], className="dim")
    return verdict(told, walk.ended_at)


def verdict(told: VerifyResponse, ended_at: float) -> Component:
    when = Clock.here().shown(round(ended_at * 1e6), seconds=True)
    if told.ok:
        return html.Div(
            [
                html.P(
                    [
                        html.Span(className="icon icon-right"),
                        html.Strong(f"Whole: all {numbers.count(told.head)} events are as they were written."),
                    ],
                    className="verdict-line right",
                ),
                html.P(["Chain hash ", html.Code(told.chain_hash.hex()), ", checked ", when], className="dim"),
            ]
        )
    where = f" at position {numbers.count(told.first_bad_position)}" if told.first_bad_position else ""
    return html.Div(
        [
            html.P(
                [html.Span(className="icon icon-wrong"), html.Strong(f"Damaged{where}: {told.problem}")],
                className="verdict-line wrong",
            ),
            html.P(
                [
                    "What lies before is sound. Checked ",
                    when,
                    ". Stop the server, keep a copy of the data folder, and bring back log/ from a backup.",
                ],
                className="dim",
            ),
        ]
    )
