"""What came of drills, and which backups failed, newest first."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.backups.answers import HISTORY, Answers
from guessbook.clients.dashboard.clock import Clock
from guessbook.proto.events_pb2 import Event


def card(answers: Answers) -> list[Component]:
    """The children of the card."""
    count = f"the newest {HISTORY}" if answers.more_history else numbers.count(len(answers.history))
    return [
        html.Div(className="card-head", children=[html.H2("Drills and failures"), html.Span(count, className="dim")]),
        html.Ol(className="backup-history", children=[_row(event, answers.clock) for event in answers.history])
        if answers.history
        else html.P(_nothing(answers), className="dim"),
    ]


def _nothing(answers: Answers) -> str:
    days = answers.config.backup.drill_days if answers.config else 0
    when = f" The server does it by itself every {days} days." if days else ""
    return (
        "No backup has failed, and none was restored for the time being yet. A drill does that, and checks everything in it: only then is it known that a "
        f"restore works.{when}"
    )


def _row(event: Event, clock: Clock) -> Component:
    identity = event.subject.partition("/")[2]
    if event.HasField("drill_completed"):
        drill = event.drill_completed
        how = "right" if drill.ok else "wrong"
        word = "Drill passed" if drill.ok else "Drill failed"
        told = (
            f"the log up to position {numbers.count(drill.head)}, {_versions(drill.versions)}in {numbers.duration(drill.seconds)}"
            if drill.ok
            else drill.problem
        )
        return _line(how, word, drill.place, identity, told, clock.moment(drill.at_us or event.recorded_at_us))
    failed = event.backup_failed
    told = f"{failed.error.rstrip('.')}. {failed.hint}".strip()
    return _line("wrong", "Not whole or not made", failed.place, identity, told, clock.moment(event.recorded_at_us))


def _versions(count: int) -> str:
    return f"{numbers.count(count)} version{'s' * (count != 1)}, " if count else ""


def _line(how: str, word: str, place: str, identity: str, told: str, when: str) -> Component:
    parts: Sequence[Component] = (
        html.Span(className=f"icon icon-{'right' if how == 'right' else 'warning'}"),
        html.Strong(f"{word} at {place}"),
        html.Span(when, className="dim when"),
        html.Span(told, className="told"),
        html.Span(identity, className="backup-id"),
    )
    return html.Li(parts, className=how)
