"""The page Audit and log."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(className="page-audit", children=[html.H1("Audit and log")])


def register(app: Dash, queries: Queries) -> None:
    pass
