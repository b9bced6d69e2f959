"""The queue and what was done lately: each job leads to its run. Knows no training numbers."""

from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import commands, numbers
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View
from guessbook.projections.names import job_state
from guessbook.proto.events_pb2 import PRIORITY_NORMAL, Priority
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
)

MOST = 50  # rows of unfinished jobs
RECENT = 5  # rows of finished ones
FINISHED = (JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED)


def layout() -> Component:
    return html.Div(
        className="card jobs",
        children=[
            html.Div(className="card-head", children=[html.H2("Jobs"), html.Span(id="jobs-count", className="dim")]),
            html.Div(id="jobs", className="job-rows"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def rows(_touched: Any, run: dict[str, Any] | None, search: str) -> tuple[list[Component], str]:
        view = View.parse(search)
        jobs = list((await queries.jobs(view.at)).jobs)
        return job_rows(jobs, run["run"] if run else "", live=view.at is None), waiting(jobs)

    app.callback(
        Output("jobs", "children"),
        Output("jobs-count", "children"),
        Input("jobs-touched", "data"),
        Input("run-shown", "data"),
        State("url", "search"),
    )(rows)


def waiting(jobs: list[Job]) -> str:
    """ "2 waiting", or what there is of other unfinished jobs."""
    kinds = (
        ("running", (JOB_STATE_ACTIVE,)),
        ("waiting", (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED)),
        ("paused", (JOB_STATE_PAUSED,)),
    )
    found = ((sum(job.state in states for job in jobs), name) for name, states in kinds)
    return " · ".join(f"{numbers.count(many)} {name}" for many, name in found if many)


def job_rows(jobs: list[Job], run: str, *, live: bool) -> list[Component]:
    """Unfinished jobs in the order they will run, then the newest finished. Says so where it leaves some out."""
    finished = [job for job in jobs if job.state in FINISHED]
    others = [job for job in jobs if job.state not in FINISHED]
    rows: list[Component] = []
    place = 0
    for job in others[:MOST]:
        place += job.state in (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED)
        rows.append(_row(job, f"{place}" if job.state in (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED) else "", run, live))
    if len(others) > MOST:
        rows.append(html.P(f"{MOST} of {numbers.count(len(others))} shown", className="dim"))
    if finished:
        shown = finished[:RECENT]
        label = (
            "Finished" if len(shown) == len(finished) else f"Finished, {len(shown)} of {numbers.count(len(finished))}"
        )
        rows += [html.H3(label), *(_row(job, "", run, live) for job in shown)]
    return rows or [html.P("No other jobs.", className="dim")]


def _row(job: Job, place: str, run: str, live: bool) -> Component:
    name = html.Span(job.name, className="job-name", title=job.name)
    details = [
        "held" if job.held else job_state(job.state),
        "" if job.priority == PRIORITY_NORMAL else Priority.Name(job.priority).removeprefix("PRIORITY_").lower(),
        f"checkpoint at step {numbers.count(job.checkpoint_step)}"
        if job.checkpoint_step and job.state != JOB_STATE_COMPLETED
        else "",
        job.version,
    ]
    here = bool(job.run) and job.run == run
    return html.Div(
        className=f"job-row {job_state(job.state)}" + (" here" if here else ""),
        children=[
            html.Span(place, className="place")
            if place
            else html.Span(className=f"icon icon-{job_state(job.state)} place"),
            html.Div(
                className="job-text",
                children=[
                    dcc.Link(name, href="/?" + urlencode({"run": job.run})) if job.run and not here else name,
                    html.Span(" · ".join(detail for detail in details if detail), className="dim"),
                ],
            ),
            *([_resume(job)] if live and "resume" in commands.possible(job) else []),
        ],
    )


def _resume(job: Job) -> Component:
    button: Component = dmc.Button(
        "Resume", id=commands.button_id("resume", job.id), variant="subtle", size="compact-xs"
    )
    return button
