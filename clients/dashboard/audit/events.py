"""The events of the log, newest first, a page at a time. Knows what the server lists and the filters of the URL, not what an event means."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.cli import event_view, wording
from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.audit.asked import Asked, changed
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import ListEventsResponse

PAGE = 50
TYPES = sorted(
    field.message_type.name for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields if field.message_type
)


def card() -> Component:
    filters = [
        dmc.MultiSelect(
            id="events-type",
            data=TYPES,
            placeholder="Every kind",
            searchable=True,
            clearable=True,
            size="xs",
            **_named("Kinds of event"),
        ),
        dmc.TextInput(
            id="events-subject",
            placeholder="Subject, as job/",
            debounce=400,
            size="xs",
            **_named("Subject; job/ takes all jobs"),
        ),
        dmc.TextInput(id="events-actor", placeholder="Actor", debounce=400, size="xs", **_named("Actor")),
    ]
    return html.Section(
        className="card listing",
        children=[
            dcc.Store(id="events-asked"),
            dcc.Store(id="events-shown"),
            html.Div(
                className="card-head tools",
                children=[
                    html.H2("Events"),
                    html.Span(id="events-count", className="dim"),
                    html.Div(filters, className="narrow-by"),
                ],
            ),
            html.Button(id="events-newest", className="newest"),
            html.Div(id="events"),
            html.Div(id="events-older", className="older"),
        ],
    )


def _named(name: str) -> dict[str, Any]:
    return {"aria-label": name}


def register(app: Dash, queries: Queries) -> None:
    async def show(asked_for: dict[str, Any] | None) -> tuple[Any, ...]:
        search = asked_for["search"] if asked_for else ""
        asked = Asked.parse(search)
        answer = await queries.book.events(
            at(View.parse(search).at),
            types=asked.type,
            subjects=[asked.subject] if asked.subject else [],
            actor=asked.actor,
            before=asked.before,
            limit=PAGE,
        )
        shown = {"position": answer.position, "first": not asked.before}
        return table(answer.events, asked, search), counted(answer), older(answer, search), shown

    app.callback(
        Output("events", "children"),
        Output("events-count", "children"),
        Output("events-older", "children"),
        Output("events-shown", "data"),
        Input("events-asked", "data"),
    )(show)
    _register_browser(app)


def _register_browser(app: Dash) -> None:
    in_browser(
        app,
        "askEvents",
        Output("events-asked", "data"),
        Output("events-type", "value"),
        Output("events-subject", "value"),
        Output("events-actor", "value"),
        Input("url", "search"),
        Input("events-touched", "data"),
        Input("events-newest", "n_clicks"),
        State("events-asked", "data"),
        at_start=True,
    )
    in_browser(
        app,
        "filterEvents",
        Output("url", "search", allow_duplicate=True),
        Input("events-type", "value"),
        Input("events-subject", "value"),
        Input("events-actor", "value"),
        Input("events-newest", "n_clicks"),
    )
    in_browser(
        app,
        "newEvents",
        Output("events-newest", "children"),
        Output("events-newest", "className"),
        Input("live", "data"),
        Input("events-shown", "data"),
        State("url", "search"),
    )


def counted(answer: ListEventsResponse) -> str:
    """n of N, where N is known."""
    if not answer.events:
        return ""
    first, last = answer.events[0].position, answer.events[-1].position
    many = len(answer.events)
    if first - last == many - 1:
        return f"{numbers.count(last)} to {numbers.count(first)} of {numbers.count(answer.position)}"
    return f"{numbers.count(many)}{' or more' if answer.next else ''}, of {numbers.count(answer.position)} events"


def older(answer: ListEventsResponse, search: str) -> list[Component]:
    if not answer.next:
        return [html.Span("The log's beginning", className="dim")] if answer.events else []
    href = changed(search, before=answer.next)
    words = "Older events" if answer.events else f"Look further back, before position {numbers.count(answer.next)}"
    return [html.A(words, href=href, className="in-page link")]


def table(events: Sequence[Event], asked: Asked, search: str) -> Component:
    if not events:
        return html.P("No event of that kind here. Clear a filter, or look further back.", className="dim nothing")
    head = html.Thead(html.Tr([html.Th(word) for word in ("Position", "Recorded", "Event", "About", "Facts", "Actor")]))
    return html.Table([head, html.Tbody([_row(event, asked, search) for event in events])], className="rows events")


def _row(event: Event, asked: Asked, search: str) -> Component:
    here = event.position == asked.event
    body = event.WhichOneof("body")
    message = getattr(event, body) if body else None
    kind = message.DESCRIPTOR.name if message is not None else "of a newer version"
    told = " ".join(event_view.facts(message)) if message is not None else "upgrade the dashboard to read it"
    href = changed(search, event=None if here else event.position, operation=None)
    return html.Tr(
        [
            html.Td(
                html.A(
                    numbers.count(event.position),
                    href=href,
                    className="in-page row-link",
                    **_named(f"Event {event.position}, {kind}"),
                )
            ),
            html.Td(Clock.here().shown(event.recorded_at_us, seconds=True), className="when"),
            html.Td(kind, className="what"),
            html.Td(_narrowing(wording.one_line(event.subject), search, "subject", event.subject), className="about"),
            html.Td(told, className="why"),
            html.Td(_narrowing(wording.one_line(event.actor), search, "actor", event.actor), className="who"),
        ],
        className="here" if here else "",
    )


def _narrowing(words: str, search: str, name: str, value: str) -> Component:
    """A link that shows only what has this value."""
    return html.A(
        words,
        href=changed(search, **{name: value, "before": None}),
        className="in-page narrowing",
        title=f"Only {words}",
    )
