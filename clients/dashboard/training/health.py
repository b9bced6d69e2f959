"""Whether anything needs a person: copies, disk, log, trainers, the server. Each line says so in a word. Knows no job."""

from dataclasses import dataclass
from typing import Any, Literal

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.proto.history_pb2 import Status
from guessbook.proto.safety_pb2 import Coverage

LITTLE_DISK, SCARCE_DISK = 10 * 10**9, 10**9  # bytes
FULL_MAP = 0.8  # share of what the log can take

Verdict = Literal["fine", "look", "act"]
WORDS: dict[Verdict, str] = {"fine": "Fine", "look": "Look", "act": "Act"}


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    what: str
    told: str
    advice: str = ""


def layout() -> Component:
    return html.Section(
        className="card health",
        children=[
            html.Div(className="card-head", children=[html.H2("Health"), html.Span(id="health-word", className="dim")]),
            html.Div(id="health", className="health-rows"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def health(_jobs: Any, _backups: Any, _shown: Any, _tick: Any, search: str) -> tuple[list[Component], str]:
        point = at(View.parse(search).at)
        status = await queries.book.status(point)
        coverage = (await queries.book.backups(point)).coverage
        found = findings(status, coverage)
        return [_row(one) for one in found], summary(found)

    app.callback(
        Output("health", "children"),
        Output("health-word", "children"),
        Input("jobs-touched", "data"),
        Input("backups-touched", "data"),
        Input("run-shown", "data"),
        Input("training-tick", "n_intervals"),
        State("url", "search"),
    )(health)


def findings(status: Status, coverage: Coverage) -> list[Finding]:
    """What there is to say, in a fixed order. Of the past there are the copies and the trainers; the rest is only known of now."""
    told = [_copies(coverage), _trainers(status)]
    if not status.past:
        told += [_disk(status), _log(status), _server(status)]
    if status.misplaced_events:
        many = numbers.count(status.misplaced_events)
        told.append(
            Finding(
                "look",
                "Events",
                f"{many} make no sense where they stand",
                "They change nothing. The server's log names them: logs/server in the data folder.",
            )
        )
    return told


def summary(found: list[Finding]) -> str:
    """ "All fine", or how many lines want to be looked at."""
    wanting = [one for one in found if one.verdict != "fine"]
    return f"{len(wanting)} of {len(found)} to look at" if wanting else "All fine"


def _copies(coverage: Coverage) -> Finding:
    if coverage.met:
        return Finding("fine", "Copies", coverage.sentence)
    return Finding("act" if coverage.copies < 2 else "look", "Copies", coverage.sentence, coverage.advice)


def _trainers(status: Status) -> Finding:
    connected = [trainer for trainer in status.trainers if trainer.connected]
    if connected:
        told = ", ".join(f"{one.id} ({one.device})" if one.device else one.id for one in connected)
        return Finding("fine", "Trainers", f"{told} connected")
    wanted = status.queued + status.interrupted
    advice = "Start one with: guessbook trainer" if wanted else ""
    return Finding("act" if wanted else "look", "Trainers", "none is connected", advice)


def _disk(status: Status) -> Finding:
    free = status.disk_free_bytes
    verdict: Verdict = "act" if free < SCARCE_DISK else "look" if free < LITTLE_DISK else "fine"
    advice = (
        ""
        if verdict == "fine"
        else "Make room where the data folder lies: when the disk is full, nothing is accepted any more."
    )
    return Finding(verdict, "Disk", f"{numbers.size(free)} free", advice)


def _log(status: Status) -> Finding:
    share = status.map_used_bytes / status.map_bytes if status.map_bytes else 0.0
    told = f"{numbers.count(status.head)} events, {numbers.size(status.log_bytes)}"
    if status.map_bytes:
        told += f", {100 * share:.1f}% of the {numbers.size(status.map_bytes)} it can take"
    if share < FULL_MAP:
        return Finding("fine", "Log", told)
    return Finding("act", "Log", told, "Move its beginning into a file of its own with: guessbook archive")


def _server(status: Status) -> Finding:
    plural = "" if status.subscribers == 1 else "s"
    return Finding(
        "fine", "Server", f"version {status.server_version}, {numbers.count(status.subscribers)} subscriber{plural}"
    )


def _row(finding: Finding) -> Component:
    return html.Div(
        className=f"health-row {finding.verdict}",
        children=[
            html.Span([html.I(className="health-mark"), WORDS[finding.verdict]], className="health-word"),
            html.Span(finding.what, className="health-what"),
            html.Div(
                [html.Span(finding.told), *([html.Span(finding.advice, className="dim")] if finding.advice else [])],
                className="health-told",
            ),
        ],
    )
