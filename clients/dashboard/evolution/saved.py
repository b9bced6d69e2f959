"""Filters that were given a name. They are kept in the browser, since they belong to who looks."""

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser

LONGEST_NAME = 60  # characters


def layout() -> Component:
    inside = [
        html.Div(id="saved-list", className="saved-list"),
        html.Div(
            className="saved-new",
            children=[
                dmc.TextInput(
                    id="saved-name",
                    size="xs",
                    inputProps={"maxLength": LONGEST_NAME},
                    placeholder="Name of what is set now",
                    **{"aria-label": "Name of the filter"},
                ),
                dmc.Button("Save", id="saved-add", size="xs"),
            ],
        ),
        html.P(id="saved-said", className="dim", role="status"),
    ]
    return html.Div(
        [
            # [{name, search}], of the browser: for all runs.
            dcc.Store(id="saved", storage_type="local", data=[]),
            html.Details(
                id="saved-menu",
                className="menu",
                children=[
                    html.Summary([html.Span(className="icon icon-bookmark"), "Saved"], className="menu-button"),
                    html.Div(inside, className="menu-list wide saved-filters"),
                ],
            ),
        ]
    )


def register(app: Dash) -> None:
    search, kept = State("url", "search"), State("saved", "data")
    in_browser(
        app,
        "saveFilter",
        Output("saved", "data"),
        Output("saved-name", "value"),
        Output("saved-said", "children"),
        Input("saved-add", "n_clicks"),
        Input("saved-name", "n_submit"),
        Input({"type": "saved-delete", "name": ALL}, "n_clicks"),
        State("saved-name", "value"),
        search,
        kept,
    )
    in_browser(
        app,
        "listSaved",
        Output("saved-list", "children"),
        Input("saved", "data"),
        Input("view", "data"),
        at_start=True,
    )
    url = Output("url", "search", allow_duplicate=True)
    in_browser(app, "applySaved", url, Input({"type": "saved-apply", "name": ALL}, "n_clicks"), kept, search)
