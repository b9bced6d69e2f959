"""The page Audit and log: what was destroyed or replaced, every event, and whether the log is whole."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.audit import details, events, log_facts, operations, verification
from guessbook.clients.dashboard.queries import Queries


def layout() -> Component:
    return html.Div(
        className="page-audit",
        children=[
            html.Div(className="page-head", children=[html.H1("Audit and log")]),
            html.Div(className="audit-top", children=[log_facts.card(), verification.card()]),
            html.Div(
                id="audit-lists",
                className="audit-lists",
                children=[
                    html.Div(className="audit-both", children=[operations.card(), events.card()]),
                    details.panel(),
                ],
            ),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    for part in (log_facts, verification, operations, events, details):
        part.register(app, queries)
