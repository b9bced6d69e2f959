"""The commands that steer jobs and the queue, and take a version out of the trash: their buttons, the question before what interrupts or ends something, and what came of them.

A click is told to the store `pressed` in the browser, as an order {name, job, to}; so a list of jobs can be drawn anew without asking for anything.
"""

from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.dependencies import Wildcard
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import outcome
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import (
    QUEUE_STATE_OFF,
    QUEUE_STATE_ON,
    QUEUE_STATE_PAUSED,
    Priority,
)
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
)

ENDED_BY_CANCEL = (JOB_STATE_QUEUED, JOB_STATE_ACTIVE, JOB_STATE_PAUSED, JOB_STATE_INTERRUPTED)


@dataclass(frozen=True)
class Command:
    name: str
    label: str
    consequence: str = ""  # what a dialog says first, where the command interrupts or ends something
    asks_reason: bool = False
    of_queue: bool = False  # not of a job


FOR_JOB = (
    Command("snapshot", "Snapshot"),
    Command(
        "skip",
        "Skip batch",
        "The batch that is trained now contributes no update: nothing is learned from it in this pass over the data.",
    ),
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
    Command(
        "cancel",
        "Cancel",
        "Nobody goes on with it, and that can't be taken back. What it has trained is kept: checkpoints, guesses, dataset.",
    ),
)
FOR_QUEUE = (
    Command("queue-on", "Turn the queue on", of_queue=True),
    Command(
        "queue-paused",
        "Pause the queue",
        "No job is begun until somebody turns the queue on. What runs goes on.",
        asks_reason=True,
        of_queue=True,
    ),
    Command(
        "queue-off",
        "Turn the queue off",
        "No job is begun. What runs saves a checkpoint, stops, keeps its place and goes on by itself when the queue is on again.",
        asks_reason=True,
        of_queue=True,
    ),
)
IN_QUEUE = (Command("priority", "Priority"), Command("front", "To the front"), Command("move", "Move"))
# Its "job" is a version.
RESTORE = Command(
    "restore-version",
    "Restore",
    "Its files are still in the trash. They become a version of the tree again, to be compared, trained on and made the latest. "
    "Nothing else changes: the latest version stays the one it is.",
)
BY_NAME = {command.name: command for command in (*FOR_JOB, *FOR_QUEUE, *IN_QUEUE, RESTORE)}


def possible(job: Job) -> list[str]:
    """The names of the commands that make sense for a job as it is. The server decides anew."""
    if job.state == JOB_STATE_ACTIVE:
        if job.consolidate or job.pending == "cancel":
            return []
        once = [name for name, asked in (("snapshot", job.snapshot_pending), ("skip", job.skip_pending)) if not asked]
        ending = [name for name in ("pause", "stop") if name != job.pending and not (job.external and name == "pause")]
        return [*([] if job.pending else once), *ending, "cancel"]
    resumed = job.state == JOB_STATE_PAUSED or (job.state == JOB_STATE_QUEUED and job.held)
    return [*(["resume"] if resumed else []), *(["cancel"] if job.state in ENDED_BY_CANCEL else [])]


def button_id(name: str | Wildcard, job: str | Wildcard = "", to: str | Wildcard = "") -> dict[str, str | Wildcard]:
    """Of whatever gives an order when it is clicked. An empty `job` is the one the page shows."""
    return {"type": "command", "name": name, "job": job, "to": to}


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
            for command in FOR_JOB
        ],
    )


def dialog() -> Component:
    """The question, and the line that says what came of a command."""
    return html.Div(
        [
            dcc.Store(id="pressed"),
            dcc.Store(id="asked"),
            dmc.Modal(
                id="confirm",
                centered=True,
                opened=False,
                closeButtonProps={"aria-label": "Close"},
                title=html.Strong(id="confirm-title"),
                children=[
                    html.P(id="confirm-text"),
                    html.Div(
                        id="confirm-reason-part",
                        className="confirm-reason",
                        children=dmc.TextInput(id="confirm-reason", label="Reason, for everybody to read", value=""),
                    ),
                    html.Div(
                        className="confirm-buttons",
                        children=[
                            dmc.Button("Go back", id="confirm-no", variant="default"),
                            dmc.Button("Confirm", id="confirm-yes", color="red.9"),
                        ],
                    ),
                ],
            ),
            html.Div(id="outcome", role="status"),
        ]
    )


def register(app: Dash, queries: Queries) -> None:
    async def press(order: dict[str, str] | None) -> tuple[Any, ...]:
        if not order:
            raise PreventUpdate
        command = BY_NAME[order["name"]]
        if not command.consequence:
            return (False, *[no_update] * 6, await obey(queries, order))
        about = "" if command.of_queue else f" {await _name_of(queries, order['job'])}"
        reason = "confirm-reason" if command.asks_reason else "confirm-reason hidden"
        return True, f"{command.label}{about}?", command.consequence, command.label, reason, "", order, no_update

    async def answer(_yes: int | None, _no: int | None, order: dict[str, str], reason: str | None) -> tuple[Any, ...]:
        if ctx.triggered_id == "confirm-no":
            return False, no_update
        return False, await obey(queries, {**order, "reason": reason or ""})

    in_browser(
        app, "press", Output("pressed", "data"), Input(button_id(ALL, ALL, ALL), "n_clicks"), State("run", "data")
    )
    outcome_shown = Output("outcome", "children", allow_duplicate=True)
    app.callback(
        Output("confirm", "opened"),
        Output("confirm-title", "children"),
        Output("confirm-text", "children"),
        Output("confirm-yes", "children"),
        Output("confirm-reason-part", "className"),
        Output("confirm-reason", "value"),
        Output("asked", "data"),
        outcome_shown,
        Input("pressed", "data"),
        prevent_initial_call=True,
    )(press)
    app.callback(
        Output("confirm", "opened", allow_duplicate=True),
        outcome_shown,
        Input("confirm-yes", "n_clicks"),
        Input("confirm-no", "n_clicks"),
        State("asked", "data"),
        State("confirm-reason", "value"),
        prevent_initial_call=True,
    )(answer)


async def obey(queries: Queries, order: dict[str, str]) -> Component:
    """Asks the server, and says what it said."""
    label = BY_NAME[order["name"]].label
    try:
        return outcome.done(label, await _message(queries.book, order))
    except GuessbookError as error:
        return outcome.failed(f"{label} failed", error)


async def _message(book: AsyncGuessbook, order: dict[str, str]) -> str:
    name, job, to = order["name"], order["job"], order["to"]
    of_job = {
        "snapshot": book.snapshot,
        "skip": book.skip,
        "pause": book.pause,
        "resume": book.resume,
        "stop": book.stop,
        "cancel": book.cancel,
    }
    of_queue = {"queue-on": QUEUE_STATE_ON, "queue-paused": QUEUE_STATE_PAUSED, "queue-off": QUEUE_STATE_OFF}
    if name in of_job:
        return (await of_job[name](job)).message
    if name in of_queue:
        return (await book.set_queue(of_queue[name], reason=order.get("reason", ""))).message
    if name == RESTORE.name:
        return (await book.restore_version(job)).message
    if name == "priority":
        return (await book.set_priority(job, Priority.Value(f"PRIORITY_{to.upper()}"))).message
    if name == "front" or to:
        return (await book.move(job, before=to, to_front=name == "front")).message
    return await _move_to_the_end(book, job)


async def _move_to_the_end(book: AsyncGuessbook, job: str) -> str:
    """Behind all that wait, whose last one's priority it takes: without that it would stay before the less urgent.

    These are two commands. Where the second fails, the error says what the first one changed.
    """
    waiting = (await book.jobs(states=[JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED])).jobs
    priorities = [one.priority for one in waiting if not one.held]
    moved = next((one for one in waiting if one.id == job), None)
    changed = ""
    if moved and priorities and moved.priority != priorities[-1]:
        changed = (await book.set_priority(job, priorities[-1])).message
    try:
        return f"{changed} {(await book.move(job)).message}".strip()
    except GuessbookError as error:
        if not changed:
            raise
        raise type(error)(f"{changed} But it was not moved behind the last: {error}", error.hint) from error


async def _name_of(queries: Queries, job: str) -> str:
    """Of what is no job, the name is all there is."""
    jobs = (await queries.jobs(None)).jobs
    return next((one.name for one in jobs if one.id == job), job)
