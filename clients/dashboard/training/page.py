"""Training, where the dashboard begins: the current job, the queue."""

from dash import Dash, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import job, queue


def layout() -> Component:
    return html.Div(
        className="page-training",
        children=[
            _empty(),
            html.Section(className="top", children=[job.job_card(), job.loss_card(), queue.layout()]),
        ],
    )


def _empty() -> Component:
    return html.Div(
        className="empty",
        children=[
            html.Span(className="icon icon-book big"),
            html.H2("Nothing in the book yet"),
            html.P(
                "Give it a file of examples, and watch here what the model guesses for each of them while it learns."
            ),
            html.Pre("guessbook submit my_examples.jsonl"),
            html.P(["No data at hand? ", html.Code("guessbook demo"), " brings its own."], className="dim"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    job.register(app, queries)
    queue.register(app, queries)
