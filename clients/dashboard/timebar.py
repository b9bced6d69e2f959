"""The bar over the log's time: moves every page to a point in the past, and back. Knows the axis and the URL's `at`, no page.

The slider is the browser's own, made in assets/timebar.js: Dash has none that says its value in words to a screen reader.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import time_axis
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View
from guessbook.proto.history_pb2 import At

Answer = TypeVar("Answer")

TOPICS = ("versions", "backups", "snapshots")  # whatever makes a mark; an operation touches the versions


def layout() -> Component:
    named: dict[str, Any] = {"aria-label": "Time travel"}
    return html.Section(
        id="past",
        className="past-bar",
        children=[
            dcc.Store(id="past-axis"),
            dcc.Store(id="past-point"),
            dcc.Store(id="past-wanted"),
            html.Span(className="icon icon-clock"),
            html.Div(
                className="past-words",
                children=[
                    html.Span([html.Strong(id="past-text"), html.Strong(id="past-ago"), html.Span(id="past-news")]),
                    html.Span([html.Span(id="past-more"), html.Span(id="past-step")], className="past-fine dim"),
                ],
            ),
            html.Div(
                className="past-track",
                children=[html.Div(id="past-marks", className="past-marks"), html.Div(id="past-range")],
            ),
            html.Button("Return to live", id="to-live", className="to-live", disabled=True),
        ],
        **named,
    )


def register(app: Dash, queries: Queries) -> None:
    async def axis(*touched: dict[str, Any] | None) -> tuple[dict[str, Any], list[Component]]:
        return drawn(await whole_axis(queries, [told["position"] if told else 0 for told in touched]))

    async def point(place: str | None, known: dict[str, int] | None) -> dict[str, int] | None:
        at = View.parse(place).at
        if at == (known["at"] if known else None):
            raise PreventUpdate
        return None if at is None else {"at": at, "time_us": (await queries.status(at)).recorded_at_us}

    app.callback(
        Output("past-axis", "data"),
        Output("past-marks", "children"),
        *(Input(f"{topic}-touched", "data") for topic in TOPICS),
    )(axis)
    app.callback(Output("past-point", "data"), Input("place", "data"), State("past-point", "data"))(point)
    in_browser(
        app,
        "showPoint",
        Output("past", "className"),
        Output("past-text", "children"),
        Output("to-live", "disabled"),
        Input("place", "data"),
        at_start=True,
    )
    in_browser(
        app,
        "showTime",
        Output("past-ago", "children"),
        Output("past-more", "children"),
        Output("past-news", "children"),
        Input("past-axis", "data"),
        Input("past-point", "data"),
        Input("live", "data"),
        at_start=True,
    )
    # Apart: what is told of the run takes longest, and the slider waits for nobody.
    in_browser(app, "showPastStep", Output("past-step", "children"), Input("run", "data"))
    search = Output("url", "search", allow_duplicate=True)
    in_browser(app, "toPoint", search, Input("past-wanted", "data"), State("url", "search"))
    in_browser(app, "toLive", search, Input("to-live", "n_clicks"), State("url", "search"))


async def whole_axis(queries: Queries, touched: Sequence[int]) -> time_axis.Axis:
    """The axis of the whole log. `touched`: the positions at which a tab was told last that each of `TOPICS` changed; 0: it was told nothing yet.

    What a topic makes is asked for once a position, for all tabs: a snapshot comes in pieces, and each of them touches every tab.
    """
    book = queries.book
    versions_at, backups_at, snapshots_at = touched

    def kept(position: int, name: str, ask: Callable[[], Awaitable[Answer]]) -> Awaitable[Answer]:
        return queries.kept(("axis", name), position, ask)

    first, now, versions, operations, backups, runs = await asyncio.gather(
        kept(1, "first", lambda: book.status(At(position=1))),
        kept(max(touched), "now", book.status),
        kept(versions_at, "versions", book.versions),
        kept(versions_at, "operations", book.operations),
        kept(backups_at, "backups", book.backups),
        kept(snapshots_at, "runs", book.runs),
    )
    found = time_axis.marks(runs.runs, versions.versions, operations.operations, backups.backups)
    return time_axis.axis(first.recorded_at_us, (now.position, now.recorded_at_us), found)


def drawn(axis: time_axis.Axis) -> tuple[dict[str, Any], list[Component]]:
    """What the browser computes with, and the marks. They say nothing to a screen reader: the slider does, when it stands on one."""
    places = {position: place for position, place, _ in axis.knots}
    hidden: dict[str, Any] = {"aria-hidden": "true"}
    spans: list[Component] = [
        html.Span(className=f"past-mark {mark.kind}", style={"left": f"{100 * places[mark.position]:.3f}%"}, **hidden)
        for mark in axis.marks
    ]
    return {"knots": axis.knots, "marks": [asdict(mark) for mark in axis.marks], "of": axis.of}, spans
