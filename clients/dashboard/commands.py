"""Pause, resume, stop, snapshot: the buttons, the question before what interrupts a job, and what came of it."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.dependencies import Wildcard
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
)


@dataclass(frozen=True)
class Command:
    name: str
    label: str
    consequence: str = ""  # what a dialog says first, where the command interrupts a job


COMMANDS = (
    Command("snapshot", "Snapshot"),
    Command(
        "pause",
        "Pause",
        "The trainer saves a checkpoint at its next step, lets go of the model and takes the next job. "
        "Resume goes on from there.",
    ),
    Command("resume", "Resume"),
    Command(
        "stop",
        "Stop",
        "The trainer saves a checkpoint at its next step and puts the job back, behind the others. "
        "Nothing is lost: it goes on when its turn comes.",
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}


def possible(job: Job) -> list[str]:
    """The names of the commands that make sense for a job as it is."""
    if job.state == JOB_STATE_ACTIVE:
        return [] if job.pending else ["snapshot", "pause", "stop"]
    if job.state == JOB_STATE_PAUSED or (job.state == JOB_STATE_QUEUED and job.held):
        return ["resume"]
    return []


def button_id(command: str | Wildcard, job: str | Wildcard = "") -> dict[str, str | Wildcard]:
    """An empty `job` is the one the page shows."""
    return {"type": "command", "name": command, "job": job}


def buttons() -> Component:
    """For the job that is shown. Which of them are there, the style sheet says by the classes of #page."""
    return html.Div(
        className="commands",
        children=[
            dmc.Button(
                command.label,
                id=button_id(command.name),
                leftSection=html.Span(className=f"icon icon-{command.name}"),
                variant="default",
                size="xs",
                className=f"command can-{command.name}",
            )
            for command in COMMANDS
        ],
    )


def dialog() -> Component:
    """The question, and the line that says what came of a command."""
    return html.Div(
        [
            dcc.Store(id="asked"),
            dmc.Modal(
                id="confirm",
                centered=True,
                opened=False,
                title=html.Strong(id="confirm-title"),
                children=[
                    html.P(id="confirm-text"),
                    html.Div(
                        className="confirm-buttons",
                        children=[
                            dmc.Button("Cancel", id="confirm-no", variant="default"),
                            dmc.Button("Confirm", id="confirm-yes", color="red"),
                        ],
                    ),
                ],
            ),
            html.Div(id="outcome", role="status"),
        ]
    )


def register(app: Dash, queries: Queries) -> None:
    async def press(clicks: list[int | None], run: dict[str, Any] | None) -> tuple[Any, ...]:
        pressed = ctx.triggered_id
        # A row's button that was just drawn triggers too, without a click.
        if not pressed or not ctx.triggered[0]["value"] or not run:
            raise PreventUpdate
        command = BY_NAME[pressed["name"]]
        order = {"name": command.name, "job": pressed["job"] or run["job"], "file": run["name"]}
        if not command.consequence:
            return False, no_update, no_update, no_update, no_update, await obey(queries, order)
        title = f"{command.label} {run['name']}?"
        return True, title, command.consequence, command.label, order, no_update

    async def answer(_yes: int | None, _no: int | None, order: dict[str, str]) -> tuple[Any, ...]:
        if ctx.triggered_id == "confirm-no":
            return False, no_update
        return False, await obey(queries, order)

    outcome = Output("outcome", "children", allow_duplicate=True)
    app.callback(
        Output("confirm", "opened"),
        Output("confirm-title", "children"),
        Output("confirm-text", "children"),
        Output("confirm-yes", "children"),
        Output("asked", "data"),
        outcome,
        Input(button_id(ALL, ALL), "n_clicks"),
        State("run", "data"),
        prevent_initial_call=True,
    )(press)
    app.callback(
        Output("confirm", "opened", allow_duplicate=True),
        outcome,
        Input("confirm-yes", "n_clicks"),
        Input("confirm-no", "n_clicks"),
        State("asked", "data"),
        prevent_initial_call=True,
    )(answer)


async def obey(queries: Queries, order: dict[str, str]) -> Component:
    """Asks the server, and says what it said."""
    label = BY_NAME[order["name"]].label
    try:
        response = await queries.command(order["name"], order["job"])
    except GuessbookError as error:
        return _outcome("failed", f"{label} failed: {error}", error.hint)
    return _outcome("done", label, response.message)


def _outcome(how: str, what: str, more: str) -> Component:
    # A key of its own: it is a new element, and shows again although the one before has faded.
    return html.Div(key=uuid4().hex, className=f"outcome {how}", children=[html.Strong(what), html.Span(more)])
