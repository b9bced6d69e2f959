"""The files that were put into the inbox last, and what became of each. Knows no job's state."""

from typing import Any

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.visible import visible
from guessbook.proto.events_pb2 import Event, FileReceived

MOST = 5
LOOKED_AT = 20  # answers of the server, each a stretch of the log, until older files are left alone


def layout() -> Component:
    return html.Section(
        className="card inbox",
        children=[
            html.Div(className="card-head", children=[html.H2("Inbox"), html.Span(id="inbox-note", className="dim")]),
            html.Div(id="inbox", className="inbox-rows"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def received(_jobs: Any, _shown: Any, search: str) -> tuple[list[Component], str]:
        point = at(View.parse(search).at)
        events, more = await _newest(queries, point)
        now_us = (await queries.book.status(point)).now_us
        return inbox_rows(events, now_us), f"The last {MOST}" if more else ""

    app.callback(
        Output("inbox", "children"),
        Output("inbox-note", "children"),
        Input("jobs-touched", "data"),
        Input("run-shown", "data"),
        State("url", "search"),
    )(received)


async def _newest(queries: Queries, point: Any) -> tuple[list[Event], bool]:
    """At most MOST files, the newest first, and whether there are more."""
    found: list[Event] = []
    before = 0
    for _ in range(LOOKED_AT):
        answer = await queries.book.events(
            point, types=["FileReceived"], subjects=["inbox"], before=before, limit=MOST + 1
        )
        found += answer.events
        before = answer.next
        if len(found) > MOST or not before:
            break
    return found[:MOST], len(found) > MOST or bool(before)


def inbox_rows(events: list[Event], now_us: int) -> list[Component]:
    """A row a file: when, which, and what it became or why it became nothing."""
    if not events:
        return [
            html.P(
                "Nothing came this way yet. A file put into the folder inbox/normal or inbox/priority becomes a job by itself.",
                className="dim",
            )
        ]
    clock = Clock.here(now_us)
    return [_row(event.file_received, clock.shown(event.recorded_at_us)) for event in events]


def _row(received: FileReceived, when: Component) -> Component:
    name = received.file.rpartition("/")[2]
    became = bool(received.job) and not received.reason
    return html.Div(
        className="inbox-row",
        children=[
            html.Span(className=f"icon icon-{'right' if became else 'warning'} {'became' if became else 'refused'}"),
            html.Div(
                className="job-text",
                children=[
                    html.Span(visible(name), className="job-name", title=visible(received.file), dir="auto"),
                    html.Span([when, f" · {visible(outcome(received))}"], className="dim inbox-told"),
                ],
            ),
        ],
    )


def outcome(received: FileReceived) -> str:
    if received.job and not received.reason:
        came = received.file.startswith("inbox/")
        return f"queued as {received.job}" if came else f"{received.job} is completed, its file is {received.moved_to}"
    if received.job:
        return f"{received.reason} ({received.job})"
    return f"Rejected: {received.reason} The file and its report are {received.moved_to} and {received.moved_to}.report.txt in the data folder."
