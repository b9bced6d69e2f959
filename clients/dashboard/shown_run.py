"""Decides which run the page is about, and what there is to say of it. Every page shows a part of that."""

from typing import Any

from dash import Dash, Input, Output, State

from guessbook.clients.dashboard import summary
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import NotFound
from guessbook.proto.history_pb2 import Run


def register(app: Dash, queries: Queries) -> None:
    async def current(place: str | None, *_touched: Any) -> dict[str, Any]:
        view = View.parse(place)
        status = await queries.status(view.at)
        run = await _run(queries, view) if view.run else status.run if status.HasField("run") else None
        jobs = (await queries.jobs(view.at)).jobs
        return summary.describe(view, status, run, list(jobs))

    app.callback(
        Output("run", "data"),
        Input("place", "data"),
        Input("jobs-touched", "data"),
        Input("steps-touched", "data"),
        Input("snapshots-touched", "data"),
    )(current)
    place = Output("place", "data")
    in_browser(app, "keepPlace", place, Input("url", "search"), State("place", "data"), at_start=True)
    in_browser(app, "showRun", Output("page", "className"), Output("crumb", "children"), Input("run", "data"))
    in_browser(
        app,
        "showNow",
        Output("now", "className"),
        Output("now-name", "children"),
        Output("now-bar", "value"),
        Output("now-step", "children"),
        Output("now-eta", "children"),
        Output("now-loss", "children"),
        Input("run", "data"),
        Input("live", "data"),
    )


async def _run(queries: Queries, view: View) -> Run | None:
    """None: at that point of the past it had not begun. Raises GuessbookError."""
    try:
        return await queries.run(view.run, view.at)
    except NotFound:
        if view.at is None:
            raise
        return None
