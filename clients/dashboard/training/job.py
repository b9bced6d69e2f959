"""The current job: its progress, its numbers and its loss curve."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import charts, commands
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries

MAX_POINTS = 400  # of the loss curve


def job_card() -> Component:
    return html.Div(
        className="card training",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.Div(
                        className="job-title",
                        children=[
                            html.H2(id="job-name"),
                            html.Span(id="job-state", className="badge"),
                            html.Span(id="job-about", className="dim"),
                        ],
                    ),
                    commands.buttons(),
                ],
            ),
            html.Div(id="job-note", className="job-note"),
            html.Div(
                className="progress-line",
                children=[html.Span(id="step", className="big-number"), html.Span(id="percent"), html.Span(id="eta")],
            ),
            dmc.Progress(id="progress", value=0, size="sm", **{"aria-label": "Training progress"}),
            html.Div(
                className="numbers",
                children=[
                    _number("Loss", "loss", "Mean over the trained tokens of the last step, in nats"),
                    _number("Accuracy", "accuracy", "Share of tracked examples guessed right at the last snapshot"),
                    _number("Trend", "trend", "From the last two snapshots"),
                    _number("Learning rate", "learning-rate", "Of the last step"),
                    _number("Speed", "speed", "Tokens per second in the last step"),
                    _number("Epoch", "epoch", "Passes over the dataset so far"),
                ],
            ),
            html.Div(
                className="facts",
                children=[
                    html.Span(id="facts"),
                    dcc.Link("See its guesses", id="job-guesses", href="/evolution", className="link"),
                ],
            ),
        ],
    )


def loss_card() -> Component:
    return html.Div(
        className="card chart-card loss",
        children=[
            html.Div(className="card-head", children=[html.H2("Loss"), charts.legend(charts.LOSS_LEGEND)]),
            charts.loss_chart("loss-chart"),
        ],
    )


def _number(label: str, key: str, meaning: str) -> Component:
    return html.Div(className="number", title=meaning, children=[html.Span(label), html.Strong("–", id=key)])


def register(app: Dash, queries: Queries) -> None:
    async def curve(touched: dict[str, Any] | None) -> list[dict[str, Any]]:
        if not touched or not touched["run"]:
            return []
        return charts.loss_data(await queries.steps(touched["run"], touched["at"], MAX_POINTS))

    app.callback(Output("loss-chart", "data"), Input("steps-touched", "data"))(curve)
    in_browser(
        app,
        "showJob",
        Output("job-name", "children"),
        Output("job-state", "children"),
        Output("job-state", "className"),
        Output("job-note", "children"),
        Output("facts", "children"),
        Output("accuracy", "children"),
        Output("trend", "children"),
        Output("trend", "className"),
        Output("job-guesses", "className"),
        Output("job-about", "children"),
        Input("run", "data"),
        at_start=True,
    )
    in_browser(app, "showGuesses", Output("job-guesses", "href"), Input("run", "data"), at_start=True)
    in_browser(
        app,
        "showStep",
        Output("step", "children"),
        Output("percent", "children"),
        Output("eta", "children"),
        Output("progress", "value"),
        Output("progress", "animated"),
        Output("loss", "children"),
        Output("learning-rate", "children"),
        Output("speed", "children"),
        Output("epoch", "children"),
        Input("run", "data"),
        Input("live", "data"),
        at_start=True,
    )
