"""The list of backups: one row for each backup at each place, and what can be done with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.backups.answers import Answers
from guessbook.clients.dashboard.backups.keeping import kept_as
from guessbook.clients.dashboard.backups.month import kind_word
from guessbook.clients.dashboard.backups.selection import ROWS, Selection
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import href
from guessbook.proto.safety_pb2 import Backup

COLUMNS = ("Begun", "Kind", "Place", "Log up to", "Files", "Size", "Read back", "Drilled", "")
TASKS = (
    ("verify", "Verify", "Read it back"),
    ("drill", "Drill", "Restore it for the time being, and check all of it"),
    ("restore", "Restore…", "Make a data folder of it"),
)


def chosen(backups: Sequence[Backup], selection: Selection, clock: Clock) -> list[Backup]:
    """Those that the list is about."""
    return [
        backup
        for backup in backups
        if (selection.pruned or not backup.pruned_at_us)
        and selection.place in ("", backup.place)
        and (selection.day is None or clock.day(backup.created_at_us) == selection.day)
    ]


def card(answers: Answers, selection: Selection) -> list[Component | None]:
    """The children of the card."""
    backups = answers.known.backups
    if not backups:
        return [_empty()]
    found = chosen(backups, selection, answers.clock)
    shown = found[: selection.rows]
    kept = kept_as(backups, answers.config.backup.keep, answers.clock) if answers.config else {}
    return [
        html.Div(className="card-head", children=[_count(len(shown), len(backups)), _filters(answers, selection)]),
        html.Table(
            className="backups",
            children=[
                html.Thead(html.Tr([_column(name) for name in COLUMNS])),
                html.Tbody([_row(backup, kept, answers.clock, selection.at) for backup in shown]),
            ],
        )
        if found
        else html.P("No backup is like that.", className="dim"),
        selection.link(
            f"Show {min(ROWS, len(found) - len(shown))} more", className="link", rows=str(selection.rows + ROWS)
        )
        if len(found) > len(shown)
        else None,
    ]


def _empty() -> Component:
    return html.Div(
        className="empty shown",
        children=[
            html.Span(className="icon icon-backups big"),
            html.H2("No backup yet"),
            html.P(
                "The server makes one every day, as soon as there is a dataset to lose, and before each operation that destroys or replaces something."
            ),
            html.P(
                ["Make the first one now: ", html.Strong("Create backup"), " above, or"],
                className="needs-right needs-now",
            ),
            html.Pre("guessbook backup create"),
        ],
    )


def _count(shown: int, all_known: int) -> Component:
    return html.H2(["Backups ", html.Span(f"{numbers.count(shown)} of {numbers.count(all_known)}", className="dim")])


def _filters(answers: Answers, selection: Selection) -> Component:
    """What narrows the list, each to be taken away."""
    shown: list[Component] = []
    if selection.day:
        shown.append(_filter(f"{selection.day.day} {selection.day:%B %Y}", selection, day=None))
    if selection.place:
        shown.append(_filter(f"at {selection.place}", selection, place=None))
    pruned = sum(bool(backup.pruned_at_us) for backup in answers.known.backups)
    if selection.pruned:
        shown.append(selection.link("Hide those let go", className="link", pruned=None))
    elif pruned:
        shown.append(selection.link(f"Show {numbers.count(pruned)} let go by the rules", className="link", pruned="1"))
    return html.Div(shown, className="right")


def _filter(word: str, selection: Selection, **changes: Any) -> Component:
    return selection.link(
        [word, html.Span(className="icon icon-close")],
        className="filter",
        title="Show the others too",
        rows=None,
        aria_label=f"{word}: show the others too",
        **changes,
    )


def _row(backup: Backup, kept: Mapping[tuple[str, str], list[str]], clock: Clock, at: int | None) -> Component:
    roles = kept.get((backup.id, backup.place), ())
    cells: tuple[list[Any], ...] = (
        [html.Strong(clock.moment(backup.created_at_us)), html.Span(backup.id, className="backup-id")],
        [
            kind_word(backup.kind),
            _detail([_operation(backup.operation, at), f"kept as {', '.join(roles)}" if roles else ""]),
        ],
        [backup.place, _detail(["offsite" * backup.offsite, "encrypted" * backup.encrypted])],
        [numbers.count(backup.head)],
        [numbers.count(backup.files), _missing(backup)],
        [numbers.size(backup.bytes), _detail([f"{numbers.size(backup.new_bytes)} new"])],
        _verdict(backup, clock),
        [html.Span(clock.moment(backup.drilled_at_us), title=clock.exact(backup.drilled_at_us))],
        _actions(backup) if not backup.pruned_at_us else [],
    )
    return html.Tr(
        className="let-go" if backup.pruned_at_us else "",
        children=[_cell(name, content) for name, content in zip(COLUMNS, cells, strict=True)],
    )


def _column(name: str) -> Component:
    return html.Th(name or html.Span("What can be done with it", className="unseen"), scope="col")


def _cell(column: str, content: list[Any]) -> Component:
    about: dict[str, Any] = {"data-column": column}  # said in a narrow window, where the head of the table has no room
    return html.Td(content, **about)


def _detail(parts: Sequence[Any]) -> Component | None:
    told = [part for part in parts if part]
    return html.Span([piece for part in told for piece in (" · ", part)][1:], className="dim") if told else None


def _operation(operation: str, at: int | None) -> Component | None:
    if not operation:
        return None
    return dcc.Link(operation, href=href("/audit", at, operation=operation), className="link")


def _missing(backup: Backup) -> Component | None:
    if not backup.missing:
        return None
    return html.Details(
        className="lacks",
        children=[
            html.Summary(f"lacks {numbers.count(len(backup.missing))}"),
            *(html.Div(name, className="backup-id") for name in backup.missing),
        ],
    )


def _verdict(backup: Backup, clock: Clock) -> list[Component | None]:
    """Whether it is whole, and since when that is known."""
    if backup.pruned_at_us:
        return [html.Span(f"let go {clock.moment(backup.pruned_at_us)}", className="dim")]
    how, icon, word = (
        ("wrong", "warning", "not whole")
        if backup.problem
        else ("lacking", "warning", "not everything in it")
        if backup.missing
        else ("right", "right", "whole")
        if backup.sound
        else ("dim", "clock", "not yet")
    )
    return [
        html.Span(
            className=f"verdict-word {how}",
            title=clock.exact(backup.verified_at_us),
            children=[html.Span(className=f"icon icon-{icon}"), html.Span(word)],
        ),
        html.Span(clock.moment(backup.verified_at_us), className="dim") if backup.verified_at_us else None,
        html.Span(backup.problem, className="place-problem") if backup.problem else None,
    ]


def _actions(backup: Backup) -> list[Component]:
    buttons = [_action(backup, task, label, title) for task, label, title in TASKS]
    return [html.Div(buttons, className="row-actions needs-right needs-now")]


def _action(backup: Backup, task: str, label: str, title: str) -> Component:
    about: dict[str, Any] = {
        "data-task": task,
        "data-backup": backup.id,
        "data-place": backup.place,
        "aria-label": f"{label} {backup.id} at {backup.place}",
    }
    return html.Button(label, className="link-button", title=title, **about)
