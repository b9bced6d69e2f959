"""The page Backups: how safe the book is, where its copies are, what can be done with them."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import guarded
from guessbook.clients.dashboard.backups import (
    coverage,
    desk,
    history,
    listing,
    month,
    places,
    restore_dialog,
    schedule,
    settings_dialog,
)
from guessbook.clients.dashboard.backups.answers import ask
from guessbook.clients.dashboard.backups.selection import Selection
from guessbook.clients.dashboard.backups.work import Desk
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View

EVERY_PLACE = {"value": "", "label": "at every place"}


def layout() -> Component:
    named: dict[str, Any] = {"aria-label": "Places"}
    return html.Div(
        className="page-backups",
        children=[
            dcc.Store(id="backup-zone"),
            _head(),
            desk.layout(),
            html.Section(
                className="backup-top",
                children=[
                    _card("backup-coverage", "coverage"),
                    html.Div(
                        className="card schedule",
                        children=[
                            html.Div(className="card-head", children=[html.H2("Schedule"), settings_dialog.button()]),
                            html.Div(_waiting(), id="backup-schedule"),
                        ],
                    ),
                ],
            ),
            html.Section(id="backup-places", className="places", **named),
            html.Section(
                className="backup-days",
                children=[_card("backup-month", "month-card"), _card("backup-history", "history")],
            ),
            _card("backup-list", "backup-list"),
            restore_dialog.layout(),
            settings_dialog.layout(),
        ],
    )


def _head() -> Component:
    return html.Div(
        className="page-head",
        children=[
            html.H1("Backups"),
            html.Div(
                className="right needs-right needs-now",
                children=[
                    dmc.Select(
                        id="backup-place",
                        data=[EVERY_PLACE],
                        value="",
                        allowDeselect=False,
                        size="xs",
                        **{"aria-label": "Where the backup is made"},
                    ),
                    dmc.Button("Create backup", id="backup-create", size="xs"),
                    guarded.button("prune-backups", "", "Prune…"),
                ],
            ),
        ],
    )


def _card(name: str, kind: str) -> Component:
    return html.Div(_waiting(), id=name, className=f"card {kind}")


def _waiting() -> list[Component]:
    return [html.Span(className="skeleton"), html.Span(className="skeleton")]


def register(app: Dash, queries: Queries) -> None:
    working = Desk()
    desk.register(app, queries, working)
    restore_dialog.register(app, queries, working)
    settings_dialog.register(app, queries)

    async def show(_backups: Any, _settings: Any, search: str, zone: str | None) -> tuple[Any, ...]:
        if zone is None:
            raise PreventUpdate
        answers = await ask(queries, View.parse(search).at, zone)
        selection = Selection.parse(search)
        named = [{"value": place.name, "label": f"at {place.name}"} for place in answers.known.places]
        return (
            coverage.card(answers.known.coverage),
            schedule.facts(answers),
            places.cards(answers, selection),
            month.card(answers, selection),
            history.card(answers),
            listing.card(answers, selection),
            [EVERY_PLACE, *named],
        )

    app.callback(
        Output("backup-coverage", "children"),
        Output("backup-schedule", "children"),
        Output("backup-places", "children"),
        Output("backup-month", "children"),
        Output("backup-history", "children"),
        Output("backup-list", "children"),
        Output("backup-place", "data"),
        Input("backups-touched", "data"),
        Input("versions-touched", "data"),  # operations and changes of the settings
        Input("url", "search"),
        Input("backup-zone", "data"),
    )(show)
    in_browser(app, "browserZone", Output("backup-zone", "data"), Input("url", "pathname"), at_start=True)
