"""The current job: its progress, its numbers and its loss curve. Also decides which run the page is about."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import charts, commands, summary
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View

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
                        children=[html.H1(id="job-name"), html.Span(id="job-state", className="badge")],
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
            html.Div(id="facts", className="facts"),
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
    async def current(search: str, *_touched: Any) -> tuple[dict[str, Any], None]:
        view = View.parse(search)
        status = await queries.status(view.at)
        run = await queries.run(view.run, view.at) if view.run else status.run if status.HasField("run") else None
        jobs = (await queries.jobs(view.at)).jobs
        whole = run if view.at is None or run is None else await queries.run(run.id, None)
        return summary.describe(view, status, run, list(jobs)) | {"moments": summary.moments(view.at, whole)}, None

    app.callback(
        Output("run", "data"),
        Output("problem", "children"),
        Input("url", "search"),
        Input("jobs-touched", "data"),
        Input("steps-touched", "data"),
        Input("snapshots-touched", "data"),
    )(current)

    async def curve(touched: dict[str, Any]) -> list[dict[str, Any]]:
        if not touched["run"]:
            return []
        return charts.loss_data(await queries.steps(touched["run"], touched["at"], MAX_POINTS))

    app.callback(Output("loss-chart", "data"), Input("steps-touched", "data"), prevent_initial_call=True)(curve)
    _show(app)


def _show(app: Dash) -> None:
    in_browser(
        app,
        "showRun",
        Output("page", "className"),
        Output("past", "className"),
        Output("past-text", "children"),
        Output("moment", "data"),
        Output("crumb", "children"),
        Output("job-name", "children"),
        Output("job-state", "children"),
        Output("job-state", "className"),
        Output("job-note", "children"),
        Output("facts", "children"),
        Output("accuracy", "children"),
        Output("trend", "children"),
        Output("trend", "className"),
        Input("run", "data"),
        State("url", "search"),
    )
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
    )
