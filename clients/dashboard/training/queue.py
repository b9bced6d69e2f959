"""What runs, what waits in which order and until when and why, and what was done lately. Each job leads to its run. Knows no training numbers."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, role
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import queue_menu
from guessbook.clients.dashboard.training.times import span
from guessbook.clients.dashboard.view import View, at
from guessbook.clients.visible import visible
from guessbook.projections.names import job_state, priority, queue_state
from guessbook.proto.events_pb2 import PRIORITY_NORMAL, QUEUE_STATE_ON, QUEUE_STATE_UNSPECIFIED
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_FAILED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    ExplainQueueResponse,
    Job,
    JobOutlook,
)

MOST = 50  # rows of unfinished jobs
RECENT = 5  # rows of finished ones
WAITING = (JOB_STATE_QUEUED, JOB_STATE_INTERRUPTED)
FINISHED = (JOB_STATE_COMPLETED, JOB_STATE_FAILED, JOB_STATE_CANCELLED)


def layout() -> Component:
    return html.Div(
        className="card jobs",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2("Queue"),
                    html.Span(id="jobs-count", className="dim"),
                    html.Div(id="queue-switch", className="queue-switch"),
                ],
            ),
            html.P(id="queue-note", className="queue-note", role="status"),
            html.Div(id="jobs", className="job-rows"),
            dcc.Store(id="queue-drawn"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def rows(
        _jobs: Any, _shown: Any, _snapshots: Any, _tick: Any, run: dict[str, Any] | None, search: str
    ) -> tuple[Any, ...]:
        view = View.parse(search)
        jobs = list((await queries.jobs(view.at)).jobs)
        outlook = await queries.book.explain(at(view.at))
        steered = view.at is None and role.may_steer()
        return (
            job_rows(jobs, outlook, run["run"] if run else "", view, steered=steered),
            waiting(jobs),
            queue_menu.switch(outlook.state, steered=steered),
            note(outlook),
        )

    app.callback(
        Output("queue-drawn", "data"),
        Input("jobs-touched", "data"),
        Input("run-shown", "data"),
        Input("snapshots-touched", "data"),
        Input("training-tick", "n_intervals"),
        State("run", "data"),
        State("url", "search"),
    )(rows)
    parts = ("jobs", "jobs-count", "queue-switch", "queue-note")
    in_browser(
        app,
        "drawQueue",
        *(Output(part, "children") for part in parts),
        Input("queue-drawn", "data"),
        *(State(part, "children") for part in parts),
    )


def waiting(jobs: list[Job]) -> str:
    """ "2 waiting", or what there is of other unfinished jobs."""
    kinds = (("running", (JOB_STATE_ACTIVE,)), ("waiting", WAITING), ("paused", (JOB_STATE_PAUSED,)))
    found = ((sum(job.state in states for job in jobs), name) for name, states in kinds)
    return " · ".join(f"{numbers.count(many)} {name}" for many, name in found if many)


def note(outlook: ExplainQueueResponse) -> str:
    """That the queue is not on, or when all of it is done."""
    if outlook.state not in (QUEUE_STATE_ON, QUEUE_STATE_UNSPECIFIED):
        reason = f": {visible(outlook.reason)}" if outlook.reason else ""
        return f"The queue is {queue_state(outlook.state)}{reason}. No job is begun until it is on again."
    if not outlook.ends_at_us:
        return ""
    left = numbers.duration((outlook.ends_at_us - outlook.now_us) / 1e6)
    return f"All of it is done about {Clock.here(outlook.now_us).moment(outlook.ends_at_us)}, in {left}."


def job_rows(jobs: list[Job], outlook: ExplainQueueResponse, run: str, view: View, *, steered: bool) -> list[Component]:
    """Unfinished jobs in the order they will run, then the newest finished. Says so where it leaves some out.

    `run` is the one that the page shows; `steered`: with what can be done to each.
    """
    finished = [job for job in jobs if job.state in FINISHED]
    others = [job for job in jobs if job.state not in FINISHED]
    order = [job.id for job in others if job.state in WAITING and not job.held]
    expected = {one.job: one for one in outlook.jobs}
    rows: list[Component] = []
    place = 0
    for job in others[:MOST]:
        place += job.state in WAITING
        menu = [queue_menu.menu(job, order)] if steered else []
        mark = _mark(job, place if job.state in WAITING else None, steered and job.id in order)
        details = _expected(job, expected.get(job.id, JobOutlook()), outlook.now_us)
        rows.append(_row(job, mark, details, run, view, menu))
    if len(others) > MOST:
        rows.append(html.P(f"{MOST} of {numbers.count(len(others))} shown", className="dim"))
    if finished:
        shown = finished[:RECENT]
        label = (
            "Finished" if len(shown) == len(finished) else f"Finished, {len(shown)} of {numbers.count(len(finished))}"
        )
        rows.append(html.H3(label))
        rows += [_row(job, _mark(job, None, False), _ended(job), run, view, []) for job in shown]
    return rows or [html.P("No job runs or waits.", className="dim")]


def _mark(job: Job, place: int | None, movable: bool) -> list[Component]:
    marks: list[Component] = []
    if movable:
        marks.append(html.Span(className="icon icon-grip grip", title="Drag to another place, or use the menu"))
    if place is None:
        marks.append(html.Span(className=f"icon icon-{job_state(job.state)} place"))
    else:
        marks.append(html.Span(f"{place}", className="place"))
    return marks


def _link(job: Job, run: str, view: View) -> Component | None:
    """To the job's run, at the same point in time; None where the page shows it, or it hasn't begun: a trainer loads the model first."""
    if not job.started_at_us or job.run == run:
        return None
    link: Component = dcc.Link(_name(job), href=href("/", view.at, run=job.run))
    return link


def _row(job: Job, mark: list[Component], details: list[str], run: str, view: View, menu: list[Component]) -> Component:
    here = bool(job.run) and job.run == run
    movable = len(mark) > 1
    drag: dict[str, Any] = {"data-job": job.id, "draggable": "true"} if movable else {}
    state, *rest = details
    return html.Div(
        key=job.id,
        className=f"job-row {job_state(job.state)}" + (" here" if here else "") + (" movable" if movable else ""),
        children=[
            html.Div(mark, className="job-mark"),
            html.Div(
                className="job-text",
                children=[
                    _link(job, run, view) or _name(job),
                    html.Span(state, className="dim"),
                    *(html.Span(line, className="dim why", title=line) for line in rest if line),
                ],
            ),
            *menu,
        ],
        **drag,
    )


def _name(job: Job) -> Component:
    name = visible(job.name)
    return html.Span(name, className="job-name", title=f"{name}, {job.id}", dir="auto")


def _expected(job: Job, outlook: JobOutlook, now_us: int) -> list[str]:
    """Its state with when it starts and ends, and why."""
    parts = [
        "held" if job.held else job_state(job.state),
        "" if job.priority == PRIORITY_NORMAL else priority(job.priority),
        f"{job.pending} asked" if job.pending else "",
        span(outlook.starts_at_us if job.state != JOB_STATE_ACTIVE else 0, outlook.ends_at_us, Clock.here(now_us)),
        f"checkpoint at step {numbers.count(job.checkpoint_step)}"
        if job.checkpoint_step and job.state != JOB_STATE_ACTIVE
        else "",
    ]
    why = outlook.why
    if outlook.why and not outlook.seconds:
        why += f"; how long it takes is not known: {outlook.basis}"
    return [" · ".join(part for part in parts if part), visible(why[:1].upper() + why[1:])]


def _ended(job: Job) -> list[str]:
    parts = [job_state(job.state), job.version, visible(job.error)]
    return [" · ".join(part for part in parts if part)]
