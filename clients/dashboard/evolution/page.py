"""Evolution: how the answers to all examples change, and each of them."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.evolution import cards, examples
from guessbook.clients.dashboard.example import story
from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(
        className="page-evolution",
        children=[
            html.H1("Evolution"),
            cards.state_cards(),
            cards.states_card(),
            html.Section(id="book", className="book", children=[examples.layout(), story.layout()]),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    cards.register(app, queries)
    examples.register(app, queries)
