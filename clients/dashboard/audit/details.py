"""What is open beside the lists: one event or one operation, in full. Knows their forms; what they hold is foreign text."""

import re
from typing import Any

from dash import Dash, Input, Output, html
from dash.development.base_component import Component
from google.protobuf.message import Message

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.audit import operations
from guessbook.clients.dashboard.audit.asked import Asked, changed
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.errors import NotFound
from guessbook.clients.visible import visible
from guessbook.proto.events_pb2 import Event

_SCREAMING = re.compile(r"(?<!^)(?=[A-Z])")  # where an underscore goes: JobState, JOB_STATE_QUEUED

LONGEST_HEX = 64  # bytes; hashes and signatures are shorter
LONGEST = 4000  # characters of one value
MOST = 60  # parts of one value


def panel() -> Component:
    named: dict[str, Any] = {"aria-label": "Details"}
    return html.Aside(id="audit-details", className="card audit-details", tabIndex=-1, **named)


def register(app: Dash, queries: Queries) -> None:
    async def show(search: str, _touched: Any) -> tuple[list[Component], str]:
        asked = Asked.parse(search)
        if asked.event:
            return await _event(queries, asked.event, search), "audit-lists open"
        if asked.operation:
            return await _operation(queries, asked.operation, search), "audit-lists open"
        return [], "audit-lists"

    app.callback(
        Output("audit-details", "children"),
        Output("audit-lists", "className"),
        Input("url", "search"),
        Input("versions-touched", "data"),
    )(show)


def _head(title: str, search: str) -> Component:
    named: dict[str, Any] = {"aria-label": "Close the details"}
    close = html.A(
        html.Span(className="icon icon-close"),
        href=changed(search, event=None, operation=None),
        className="in-page icon-button",
        **named,
    )
    return html.Div([html.H2(title), close], className="card-head")


async def _operation(queries: Queries, identity: str, search: str) -> list[Component]:
    point = at(View.parse(search).at)
    found = (await queries.book.operations(point, id=identity)).operations
    if not found:
        return [_head(identity, search), html.P("There is no such operation at this point in time.", className="dim")]
    backups = (await queries.book.backups(point, pruned=True)).backups
    mine = [backup for backup in backups if found[0].backup and backup.id == found[0].backup]
    return [
        _head(f"{found[0].kind} {found[0].target}".strip(), search),
        *operations.details(found[0], mine, search),
    ]


async def _event(queries: Queries, position: int, search: str) -> list[Component]:
    point = at(View.parse(search).at)
    found = (await queries.book.events(point, before=position + 1, limit=1)).events
    if not found or found[0].position != position:
        raise NotFound(f"there is no event {position} at this point in time", "Return to live, or choose another.")
    return event(found[0], search)


def event(one: Event, search: str) -> list[Component]:
    """All of it, with the way to its moment and to its proof."""
    body = one.WhichOneof("body")
    message = getattr(one, body) if body else None
    kind = message.DESCRIPTOR.name if message is not None else "An event of a newer version"
    clock = Clock.here()
    told: list[tuple[str, Any]] = [
        ("Position", numbers.count(one.position)),
        ("Recorded", clock.shown(one.recorded_at_us, seconds=True)),
        ("Happened", clock.shown(one.occurred_at_us, seconds=True) if one.occurred_at_us else ""),
        ("About", visible(one.subject)),
        ("Actor", visible(one.actor)),
        ("Command", html.Code(one.correlation) if one.correlation else ""),
        ("Answers", _other(one.causation, search) if one.causation else ""),
    ]
    return [
        _head(kind, search),
        html.Dl([html.Div([html.Dt(term), html.Dd(words)]) for term, words in told if words]),
        html.H3("What it says"),
        value(said(message)) if message is not None else html.P("Upgrade the dashboard to read it."),
        html.Div(
            [html.A("See the book at this moment", href=changed(search, at=one.position), className="in-page link")],
            className="links",
        ),
        html.H3("Proof"),
        html.P(
            [
                html.A(
                    "Download the proof",
                    href=f"/proof?position={one.position}",
                    download=f"proof-{one.position}.json",
                    className="link",
                ),
                " that this event is in the signed log, for somebody who doesn't trust this machine. They check it without Guessbook: ",
                html.Code(f"python docs/verify_proof.py proof-{one.position}.json"),
            ],
            className="dim",
        ),
    ]


def _other(position: int, search: str) -> Component:
    return html.A(f"event {numbers.count(position)}", href=changed(search, event=position), className="in-page link")


def said(message: Message) -> dict[str, Any]:
    """The fields that mean something, by their names, in words a person reads: hashes in hex, of other bytes how many, enums by their names."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        content = getattr(message, field.name)
        content = [_plain(field, part) for part in content] if field.is_repeated else _plain(field, content)
        if content not in ("", [], {}):
            found[field.name.removesuffix("_us").replace("_", " ")] = content
    return found


def _plain(field: Any, content: Any) -> Any:  # descriptors have two types, one per implementation
    if field.message_type:
        return said(content)
    if field.enum_type:
        name: str = field.enum_type.values_by_number[content].name
        return name.removeprefix(_SCREAMING.sub("_", field.enum_type.name).upper() + "_").lower().replace("_", " ")
    if isinstance(content, bytes):
        return content.hex() if len(content) <= LONGEST_HEX else f"{numbers.count(len(content))} bytes"
    if isinstance(content, bool):
        return "yes" if content else "no"
    if field.name.endswith("_us"):
        return Clock.here(content).exact(content)
    return f"{content:.6g}" if isinstance(content, float) else str(content)


def value(content: Any) -> Component:
    """What a message says, as lists; what is long is cut, and says so."""
    if isinstance(content, dict):
        parts = [html.Div([html.Dt(name), html.Dd(value(part))]) for name, part in content.items()]
        return html.Dl(parts) if parts else html.Span("nothing besides", className="dim")
    if isinstance(content, list):
        shown = content[:MOST]
        rest = [f"… {numbers.count(MOST)} of {numbers.count(len(content))}"] if len(content) > MOST else []
        if any(isinstance(part, dict) for part in shown):
            return html.Ol([html.Li(value(part)) for part in [*shown, *rest]])
        return value(", ".join([*shown, *rest]))
    cut = f" … {numbers.count(LONGEST)} of {numbers.count(len(content))} characters" if len(content) > LONGEST else ""
    return html.Span(visible(content[:LONGEST]) + cut, className="value")
