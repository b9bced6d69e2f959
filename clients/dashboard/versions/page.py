"""The page Versions."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(className="page-versions", children=[html.H1("Versions")])


def register(app: Dash, queries: Queries) -> None:
    pass
