"""What can be done to a job in the queue, and to the queue: the menus, whose entries give orders. Knows no order's meaning."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import commands
from guessbook.clients.visible import visible
from guessbook.projections.names import priority, queue_state
from guessbook.proto.events_pb2 import (
    PRIORITY_HIGH,
    PRIORITY_LOW,
    PRIORITY_NORMAL,
    PRIORITY_URGENT,
    QUEUE_STATE_UNSPECIFIED,
    QueueState,
)
from guessbook.proto.history_pb2 import Job

PRIORITIES = (PRIORITY_URGENT, PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW)


def menu(job: Job, order: list[str]) -> Component:
    """`order`: the ids of the jobs that wait and can be moved, in their order."""
    entries = [
        _entry(commands.BY_NAME[name].label, name, job.id) for name in commands.possible(job) if name != "cancel"
    ]
    if job.id in order:
        entries += [*_moves(job, order), *_priorities(job)]
    if "cancel" in commands.possible(job):
        entries.append(_entry("Cancel", "cancel", job.id, red=True))
    return _menu(job.id, f"What to do with {visible(job.name)}", entries)


def switch(state: "QueueState.ValueType", *, steered: bool) -> Component:
    """Whether the queue is on, and the way to turn it on or off."""
    word = "on" if state == QUEUE_STATE_UNSPECIFIED else queue_state(state)
    badge = html.Span(word, className="badge active" if word == "on" else "badge held")
    if not steered:
        return badge
    others = [command for command in commands.FOR_QUEUE if command.name != f"queue-{word}"]
    entries = [_entry(command.label, command.name, "") for command in others]
    return html.Div([badge, _menu("queue", f"The queue is {word}", entries)])


def _moves(job: Job, order: list[str]) -> list[Component]:
    place = order.index(job.id)
    before = dict(enumerate(order))
    moves = []
    if place > 0:
        moves += [_entry("Up", "move", job.id, before[place - 1]), _entry("To the front", "front", job.id)]
    if place < len(order) - 1:
        moves += [_entry("Down", "move", job.id, before.get(place + 2, ""))]
    return moves


def _priorities(job: Job) -> list[Component]:
    return [
        html.Span("Priority", className="menu-label"),
        *(
            _entry(priority(value).capitalize(), "priority", job.id, priority(value), disabled=value == job.priority)
            for value in PRIORITIES
        ),
        html.Hr(),
    ]


def _entry(label: str, name: str, job: str, to: str = "", *, red: bool = False, disabled: bool = False) -> Component:
    return html.Button(
        label,
        id=commands.button_id(name, job, to),
        disabled=disabled,
        className="menu-entry red" if red else "menu-entry",
    )


def _menu(name: str, meaning: str, entries: list[Component]) -> Component:
    """Opens and closes by itself; menu.js places it, and opens it again by its name where its row is drawn anew meanwhile."""
    named: dict[str, Any] = {"aria-label": meaning}
    again: dict[str, Any] = {"data-menu": name}
    mark = html.Span(className="icon icon-more")
    return html.Details(
        className="menu",
        children=[html.Summary(mark, className="icon-button", **named), html.Div(entries, className="menu-list")],
        **again,
    )
