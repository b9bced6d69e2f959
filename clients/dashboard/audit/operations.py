"""The destructive operations: who, when, why, what before and after, which backup. Knows what the server says of them."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.audit.asked import Asked, changed
from guessbook.clients.dashboard.audit.difference import Row, difference
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.visible import visible
from guessbook.proto.safety_pb2 import Backup, Operation, OperationStage

MOST = 100  # rows
STAGES = {
    "requested": "under way",
    "backed_up": "backed up, under way",
    "performed": "performed, being checked",
    "completed": "completed",
    "refused": "refused, nothing was changed",
    "undone": "undone, all is as it was",
}


def card() -> Component:
    return html.Section(
        className="card listing",
        children=[
            html.Div(
                className="card-head tools",
                children=[
                    html.H2("Destructive operations"),
                    html.Span(id="operations-count", className="dim"),
                    html.Div(
                        className="narrow-by",
                        children=[
                            dmc.Select(
                                id="operations-kind",
                                placeholder="Every kind",
                                clearable=True,
                                size="xs",
                                **_named("Kind of operation"),
                            ),
                            dmc.Select(
                                id="operations-by",
                                placeholder="Everybody",
                                clearable=True,
                                size="xs",
                                **_named("Asked for by"),
                            ),
                        ],
                    ),
                ],
            ),
            html.Div(id="operations"),
        ],
    )


def _named(name: str) -> dict[str, Any]:
    return {"aria-label": name}


def register(app: Dash, queries: Queries) -> None:
    async def show(search: str, _touched: Any) -> tuple[Any, ...]:
        asked = Asked.parse(search)
        found = list((await queries.book.operations(at(View.parse(search).at))).operations)
        matching = [one for one in found if asked.kind in ("", one.kind) and asked.by in ("", one.actor)]
        shown = matching[:MOST]
        kinds = sorted({one.kind for one in found} | {asked.kind} - {""})
        actors = sorted({one.actor for one in found} | {asked.by} - {""})
        counted = f"{numbers.count(len(shown))} of {numbers.count(len(found))}" if found else ""
        return table(shown, asked, search, bool(found)), counted, kinds, asked.kind or None, actors, asked.by or None

    app.callback(
        Output("operations", "children"),
        Output("operations-count", "children"),
        Output("operations-kind", "data"),
        Output("operations-kind", "value"),
        Output("operations-by", "data"),
        Output("operations-by", "value"),
        Input("url", "search"),
        Input("versions-touched", "data"),
    )(show)
    in_browser(
        app,
        "filterOperations",
        Output("url", "search", allow_duplicate=True),
        Input("operations-kind", "value"),
        Input("operations-by", "value"),
    )


def stage(operation: Operation) -> str:
    """As class names say it."""
    return OperationStage.Name(operation.stage).removeprefix("OPERATION_STAGE_").lower()


def badge(operation: Operation) -> Component:
    name = stage(operation)
    return html.Span(STAGES.get(name, name), className=f"badge stage {name}")


def table(operations: Sequence[Operation], asked: Asked, search: str, any_at_all: bool) -> Component:
    if not operations:
        nothing = "No operation of that kind. Clear the filters to see the others."
        never = "Nothing destructive was asked for yet. Deleting, rolling back, merging and pruning will be listed here, each with its backup."
        return html.P(nothing if any_at_all else never, className="dim nothing")
    head = html.Thead(html.Tr([html.Th(word) for word in ("When", "What", "Outcome", "Why", "Who")]))
    return html.Table([head, html.Tbody([_row(one, asked, search) for one in operations])], className="rows operations")


def _row(one: Operation, asked: Asked, search: str) -> Component:
    here = one.id == asked.operation
    link = html.A(
        [html.Strong(one.kind), " ", visible(one.target)],
        href=changed(search, operation=None if here else one.id, event=None),
        className="in-page row-link",
    )
    return html.Tr(
        [
            html.Td(Clock.here().shown(one.requested_at_us), className="when"),
            html.Td(link, className="what"),
            html.Td(badge(one), className="outcome-cell"),
            html.Td(visible(one.reason), className="why", title=visible(one.reason), dir="auto"),
            html.Td(visible(one.actor), className="who"),
        ],
        className="here" if here else "",
    )


def details(one: Operation, backups: Sequence[Backup], search: str) -> list[Component]:
    """All there is to say of one. `backups`: those made for it, one at each place."""
    clock = Clock.here()
    told: list[tuple[str, Any]] = [
        ("Asked for", [clock.shown(one.requested_at_us, seconds=True), f" by {visible(one.actor)}"]),
        ("Ended", clock.shown(one.ended_at_us, seconds=True) if one.ended_at_us else "not yet"),
        ("Reason", html.Span(visible(one.reason), dir="auto") if one.reason else ""),
        ("Checked", visible(one.checked)),
        (
            "Result",
            ", ".join(f"{row.key} {row.before}".strip() for row in difference(one.result, one.result))
            if one.result
            else "",
        ),
        ("Id", html.Code(one.id)),
    ]
    failed = (
        [html.P([html.Strong(visible(one.error)), " ", visible(one.hint)], className="verdict-line warned")]
        if one.error
        else []
    )
    return [
        html.P(badge(one)),
        *failed,
        html.Dl([html.Div([html.Dt(term), html.Dd(words)]) for term, words in told if words]),
        html.H3("What it changed" if stage(one) == "completed" else "What it was to change"),
        *_changes(difference(one.before, one.after)),
        html.H3("Backup before it"),
        _backups(one, backups),
        html.Div(
            [
                html.A(
                    "See how it was just before",
                    href=changed(search, at=one.position - 1 or None),
                    className="in-page link",
                ),
                html.A(
                    "Its events",
                    href=changed(search, subject=f"operation/{one.id}", before=None),
                    className="in-page link",
                ),
            ],
            className="links",
        ),
    ]


def _changes(rows: Sequence[Row]) -> list[Component]:
    """What stayed as it was is folded away: a config has many keys, and a change few."""
    different = [row for row in rows if row.how != "same"]
    same = [row for row in rows if row.how == "same"]
    found: list[Component] = [_sides(different)] if different else [html.P("Nothing besides itself.", className="dim")]
    if same:
        words = f"{numbers.count(len(same))} unchanged"
        found.append(html.Details([html.Summary(words), _sides(same)], className="unchanged"))
    return found


def _sides(rows: Sequence[Row]) -> Component:
    head = html.Thead(html.Tr([html.Th(word) for word in ("Field", "Before", "After")]))
    return html.Table([head, html.Tbody([_change(row) for row in rows])], className="difference")


def _change(row: Row) -> Component:
    old: Component | str = row.before
    new: Component | str = row.after
    if row.how != "same":
        old, new = html.Del(old) if old else "", html.Ins(new) if new else ""
    return html.Tr([html.Th(row.key, scope="row"), html.Td(old), html.Td(new)], className=row.how)


def _backups(one: Operation, backups: Sequence[Backup]) -> Component:
    if not one.backup:
        return html.P("None was made.", className="dim")
    lines = [html.Li([html.Strong(backup.place), f": {_state(backup)}"]) for backup in backups]
    lines = lines or [html.Li(f"{place}: not listed any more") for place in one.places]
    return html.Div([html.Code(one.backup), html.Ul(lines)], className="its-backups")


def _state(backup: Backup) -> str:
    if backup.pruned_at_us:
        return f"pruned {Clock.here().moment(backup.pruned_at_us)}"
    state = "whole" if backup.sound else backup.problem or "not verified"
    return f"{state}, read back {Clock.here().moment(backup.verified_at_us)}" if backup.verified_at_us else state
