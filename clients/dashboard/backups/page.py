"""The page Backups."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(className="page-backups", children=[html.H1("Backups")])


def register(app: Dash, queries: Queries) -> None:
    pass
