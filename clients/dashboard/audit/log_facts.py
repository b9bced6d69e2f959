"""What there is to say of the log itself, as it is now. Knows the status, not how events are listed."""

import asyncio
from typing import Any

from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Status


def card() -> Component:
    return html.Section(
        className="card log-facts",
        children=[html.Div(className="card-head", children=[html.H2("The log, now")]), html.Dl(id="log-facts")],
    )


def register(app: Dash, queries: Queries) -> None:
    async def show(_touched: dict[str, Any] | None) -> list[Component]:
        book = queries.book
        status, archived = await asyncio.gather(
            book.status(), book.events(types=["HistoryArchived"], subjects=["log"], limit=1)
        )
        return facts(status, next(iter(archived.events), None))

    app.callback(Output("log-facts", "children"), Input("events-touched", "data"))(show)


def facts(status: Status, archived: Event | None) -> list[Component]:
    """Terms and what they are; `archived` is the last event that says that a part was moved out."""
    told: list[tuple[str, Any]] = [
        ("Head", [f"position {numbers.count(status.head)}, ", Clock.here().shown(status.recorded_at_us, seconds=True)]),
        ("Chain hash", html.Code(status.chain_hash)),
        ("Log id", html.Code(status.log_id)),
        ("Size", f"{numbers.size(status.log_bytes)}; {numbers.size(status.disk_free_bytes)} free on its disk"),
    ]
    if archived:
        body = archived.history_archived
        told.append(
            (
                "Archived",
                f"positions {numbers.count(body.first_position)} to {numbers.count(body.last_position)}, in {body.file}",
            )
        )
    if status.misplaced_events:
        told.append(
            (
                "Without effect",
                f"{numbers.count(status.misplaced_events)} events made no sense where they stand; the server's log names them",
            )
        )
    return [html.Div([html.Dt(term), html.Dd(words)]) for term, words in told]
