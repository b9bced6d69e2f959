"""The bar over the log's time: moves every page to a point in the past, and back."""

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(
        id="past",
        className="past-bar",
        children=[
            html.Span(id="past-text"),
            html.Button("Return to live", id="to-live", className="link-button"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    search = Output("url", "search", allow_duplicate=True)
    in_browser(app, "toLive", search, Input("to-live", "n_clicks"), State("url", "search"))
    in_browser(app, "showPast", Output("past", "className"), Output("past-text", "children"), Input("run", "data"))
