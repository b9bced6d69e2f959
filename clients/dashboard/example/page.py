"""One example on a page of its own."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.example import story
from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(className="page-example", children=story.layout(alone=True))


def register(app: Dash, queries: Queries) -> None:
    story.register(app, queries)
