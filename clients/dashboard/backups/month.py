"""A month of backups: on which days one was made, of what kind, whether it is whole, and on which days there was none."""

import calendar
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard.backups.answers import Answers
from guessbook.clients.dashboard.backups.keeping import kept_as
from guessbook.clients.dashboard.backups.selection import Selection
from guessbook.proto.safety_pb2 import Backup

MARKS = 4  # that fit into a day
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEGEND = (
    ("mark-daily", "daily"),
    ("mark-manual", "manual"),
    ("mark-pre", "before an operation"),
    ("mark-broken", "not whole"),
    ("mark-pruned", "let go by the rules"),
    ("mark-gap", "no backup"),
)


@dataclass(frozen=True)
class Made:
    """One backup, at all its places."""

    id: str
    kind: str
    copies: Sequence[Backup]
    kept: Sequence[str]  # "daily", "weekly", "monthly": what the rules keep it as, at some place

    @property
    def pruned(self) -> bool:
        return all(copy.pruned_at_us for copy in self.copies)

    @property
    def broken(self) -> bool:
        """Some copy is there and isn't whole, or lacks files."""
        return any((not copy.sound or copy.missing) and not copy.pruned_at_us for copy in self.copies)

    @property
    def mark(self) -> str:
        if self.pruned:
            return "mark-pruned"
        if self.broken:
            return "mark-broken"
        return "mark-pre" if self.kind.startswith("pre_") else f"mark-{'daily' if self.kind == 'daily' else 'manual'}"

    def __str__(self) -> str:
        state = "let go by the rules" if self.pruned else "not whole" if self.broken else "whole"
        kept = f", kept as {' and '.join(self.kept)}" if self.kept else ""
        return f"{kind_word(self.kind)} at {', '.join(copy.place for copy in self.copies)}: {state}{kept}"


def kind_word(kind: str) -> str:
    """ "daily", "before rollback"."""
    words = kind.replace("_", " ")
    return f"before {words.removeprefix('pre ')}" if words.startswith("pre ") else words


def days(answers: Answers) -> dict[date, list[Made]]:
    """The backups begun on each day, oldest first, pruned ones too."""
    kept: Mapping[tuple[str, str], list[str]] = {}
    if answers.config:
        kept = kept_as(answers.known.backups, answers.config.backup.keep, answers.clock)
    copies: dict[str, list[Backup]] = defaultdict(list)
    for backup in answers.known.backups:
        copies[backup.id].append(backup)
    found: dict[date, list[Made]] = defaultdict(list)
    for identity, there in sorted(copies.items(), key=lambda each: each[1][0].created_at_us):
        roles = {role for copy in there for role in kept.get((identity, copy.place), ())}
        ordered = [role for role in ("daily", "weekly", "monthly") if role in roles]
        found[answers.clock.day(there[0].created_at_us)].append(Made(identity, there[0].kind, there, ordered))
    return found


def gaps(made: Iterable[date], today: date) -> set[date]:
    """The days without a backup, between the first one and today, which is not over yet."""
    known = set(made)
    if not known:
        return set()
    first = min(known)
    return {first + timedelta(days=number) for number in range((today - first).days)} - known


def card(answers: Answers, selection: Selection) -> list[Component]:
    """The children of the card."""
    made = days(answers)
    today = answers.clock.now.date()
    year, month = selection.month or (today.year, today.month)
    without = gaps(made, today)
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    rows = [
        html.Tr([_cell(day, day.month == month, made.get(day, ()), day in without, today, selection) for day in week])
        for week in weeks
    ]
    head = html.Tr([html.Th(name, scope="col") for name in WEEKDAYS])
    return [
        html.Div(
            className="card-head month-head",
            children=[html.H2(f"{date(year, month, 1):%B %Y}"), _turning(selection, year, month)],
        ),
        html.Table(className="month", children=[html.Thead(head), html.Tbody(rows)]),
        html.Div(
            className="legend",
            children=[html.Span([html.I(className=f"backup-mark {mark}"), word]) for mark, word in LEGEND],
        ),
        html.P(f"Days in {answers.clock.said}.", className="dim"),
    ]


def _turning(selection: Selection, year: int, month: int) -> Component:
    def to(number: int, icon: str, word: str) -> Component | None:
        there_year, there_month = divmod(number, 12)
        if not date.min.year <= there_year <= date.max.year:
            return None
        return selection.link(
            html.Span(className=f"icon icon-{icon}"),
            className="icon-button",
            title=word,
            aria_label=word,
            month=f"{there_year:04}-{there_month + 1:02}",
            day=None,
        )

    here = year * 12 + month - 1
    shown = [to(here - 1, "left", "The month before"), to(here + 1, "right-page", "The month after")]
    if selection.month:
        shown.append(selection.link("This month", className="link", month=None, day=None))
    return html.Div(shown, className="right")


def _cell(day: date, inside: bool, made: Sequence[Made], gap: bool, today: date, selection: Selection) -> Component:
    classes = ["day"]
    classes += [name for name, holds in (("outside", not inside), ("today", day == today), ("gap", gap)) if holds]
    if selection.day == day:
        classes.append("chosen")
    if not made:
        told = f"{day:%A} {day.day} {day:%B}: no backup" if gap else None
        nothing = html.Div([html.Span(day.day), html.I(className="backup-mark mark-gap") if gap else None], title=told)
        return html.Td(nothing, className=" ".join(classes))
    longest = max((role for one in made for role in one.kept), key=("daily", "weekly", "monthly").index, default="")
    marks: list[Component] = [html.I(className=f"backup-mark {one.mark}") for one in made[:MARKS]]
    if len(made) > MARKS:
        marks.append(html.Small(f"+{len(made) - MARKS}"))
    told = f"{day:%A} {day.day} {day:%B}: {'; '.join(map(str, made))}"
    unseen: dict[str, Any] = {"aria-hidden": "true"}
    content = selection.link(
        [
            html.Span(day.day, **unseen),
            html.Span(marks, className="day-marks", **unseen),
            html.Small({"weekly": "week", "monthly": "month"}.get(longest, ""), **unseen),
            html.Span(told, className="unseen"),
        ],
        title=told,
        aria_current="date" if selection.day == day else "false",
        day=None if selection.day == day else day.isoformat(),
        month=f"{day:%Y-%m}",
        rows=None,
    )
    return html.Td(content, className=" ".join(classes))
