"""Training, where the dashboard begins: the current job, the queue, what was made and received lately, and whether all is well."""

from dash import Dash, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import health, inbox, job, queue, recent_versions, submit
from guessbook.clients.dashboard.training.upload import Uploads

TICK_MS = 20_000  # what is expected moves although nothing happens


def layout() -> Component:
    return html.Div(
        className="page-training",
        children=[
            _empty(),
            html.Div(
                className="page-head",
                children=[html.H1("Training"), html.Div(submit.button("head"), className="right")],
            ),
            html.Div(className="top", children=[job.job_card(), job.loss_card(), queue.layout()]),
            html.Div(className="below", children=[recent_versions.layout(), health.layout(), inbox.layout()]),
            submit.dialog(),
            dcc.Interval(id="training-tick", interval=TICK_MS),
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
            submit.button("empty"),
            html.P("Or on the command line:", className="dim"),
            html.Pre("guessbook submit my_examples.jsonl"),
            html.P(["No data at hand? ", html.Code("guessbook demo"), " brings its own."], className="dim"),
        ],
    )


def register(app: Dash, queries: Queries, uploads: Uploads) -> None:
    for part in (job, queue, recent_versions, health, inbox):
        part.register(app, queries)
    submit.register(app, queries, uploads)
