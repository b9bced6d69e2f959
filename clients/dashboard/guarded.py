"""The dialog of guarded operations: names the object, shows what would happen, takes a reason and a confirmation, then follows the stages to the end.

It belongs to the frame; any page has a `button` that opens it. Knows how an operation is asked for and told, not what it does: that the server says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, Patch, State, dcc, html, no_update, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import outcome, problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_BACKED_UP,
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_PERFORMED,
    OPERATION_STAGE_REFUSED,
    OPERATION_STAGE_REQUESTED,
    OPERATION_STAGE_UNDONE,
    Operation,
)

GIVEN_UP = "given up in the dashboard"


@dataclass(frozen=True)
class Kind:
    """`title` has a place for the target. `typed`: the target's name must be typed, since something goes away."""

    title: str
    confirm: str
    typed: bool = False
    performing: str = "It is done now …"


KINDS = {
    "delete-version": Kind("Delete {}", "Delete", typed=True),
    "rollback": Kind("Make {} the latest version", "Roll back"),
    "consolidate": Kind("Consolidate {}", "Consolidate", performing="Waits for a trainer, which merges it …"),
    "switch-base-model": Kind("Train on {} from now on", "Switch"),
    "change-config": Kind("Change {}", "Change"),
    "prune-backups": Kind("Remove old {}", "Remove", typed=True),
}
# In their order; what is said of each while it is under way, and once it is over.
STAGES = (
    (OPERATION_STAGE_REQUESTED, "", "Asked for"),
    (OPERATION_STAGE_BACKED_UP, "A backup is made and read back …", "Backed up"),
    (OPERATION_STAGE_PERFORMED, "", "Performed"),
    (OPERATION_STAGE_COMPLETED, "What came of it is checked …", "Checked"),
)
ENDS = {
    OPERATION_STAGE_COMPLETED: ("done", "Done"),
    OPERATION_STAGE_REFUSED: ("failed", "Refused"),
    OPERATION_STAGE_UNDONE: ("failed", "Undone"),
}


def button(kind: str, target: str, label: str, icon: str = "", *, argument: str = "") -> Component:
    """Opens the dialog for an operation of `Safety.RequestOperation`. May stand on any page, as often as wanted: it has no id.

    Hidden from guests and in the past. `icon`: the end of a class name of icons.css. What a page knows only in the browser opens the dialog by
    `guessbook.guard(kind, target, argument)` (guarded.js).
    """
    asked = {"data-guarded": kind, "data-target": target, "data-argument": argument}
    made: Component = dmc.Button(
        label,
        leftSection=html.Span(className=f"icon icon-{icon}") if icon else None,
        variant="default",
        size="xs",
        className="needs-right needs-now",
        **asked,
    )
    return made


def dialog() -> Component:
    """For the frame. Which of its parts are seen, the class of #guarded-body says: asking, ready, impossible, running or ended."""
    return html.Div(
        [
            *(dcc.Store(id=name) for name in ("guarded-asked", "guarded-order", "guarded-operation", "guarded-left")),
            dmc.Modal(
                id="guarded",
                opened=False,
                centered=True,
                size="lg",
                closeOnClickOutside=False,
                closeButtonProps={"aria-label": "Close"},
                title=html.Strong(id="guarded-title"),
                children=html.Div(id="guarded-body", className="guarded asking", children=[*_question(), *_progress()]),
            ),
        ]
    )


def _question() -> list[Component]:
    return [
        html.P("The server is asked what would happen …", className="guarded-asking dim"),
        html.H3("What happens", className="guarded-question"),
        html.Ol(id="guarded-plan", className="guarded-question guarded-plan"),
        html.Div(
            className="guarded-question guarded-form",
            children=[
                dmc.TextInput(
                    id="guarded-reason",
                    label="Reason",
                    description="The audit keeps it for ever.",
                    required=True,
                    value="",
                    debounce=False,
                ),
                dmc.TextInput(id="guarded-typed", label="", required=True, value="", className="guarded-typed"),
            ],
        ),
        html.P(id="guarded-problem", className="guarded-problem", role="alert"),
        html.Div(
            className="guarded-question confirm-buttons",
            children=[
                dmc.Button("Cancel", id="guarded-cancel", variant="default"),
                dmc.Button("Confirm", id="guarded-confirm", color="red.9", disabled=True),
            ],
        ),
    ]


def _progress() -> list[Component]:
    return [
        html.Div(html.Ol(id="guarded-stages", className="guarded-stages"), className="guarded-way", role="status"),
        html.Div(
            className="guarded-after confirm-buttons",
            children=[
                dmc.Button("Give it up", id="guarded-abort", variant="default", className="guarded-abort"),
                dmc.Button("Close", id="guarded-close", variant="default"),
            ],
        ),
    ]


def register(app: Dash, queries: Queries) -> None:
    in_browser(
        app,
        "openGuarded",
        Output("guarded", "opened"),
        Output("guarded-title", "children"),
        Output("guarded-body", "className"),
        Output("guarded-reason", "value"),
        Output("guarded-typed", "value"),
        Output("guarded-problem", "children"),
        Output("guarded-operation", "data"),
        Output("guarded-order", "data"),
        Output("guarded-left", "data"),
        Input("guarded-asked", "data"),
        State("guarded-operation", "data"),
        State("guarded-left", "data"),
    )
    in_browser(
        app,
        "closeGuarded",
        Output("guarded", "opened", allow_duplicate=True),
        Input("guarded-cancel", "n_clicks"),
        Input("guarded-close", "n_clicks"),
    )
    in_browser(
        app,
        "mayConfirm",
        Output("guarded-confirm", "disabled"),
        Input("guarded-reason", "value"),
        Input("guarded-typed", "value"),
        Input("guarded-order", "data"),
    )
    _register_question(app, queries)
    _register_progress(app, queries)


def _register_question(app: Dash, queries: Queries) -> None:
    async def plan(wanted: dict[str, str] | None) -> tuple[Any, ...]:
        if not wanted:
            raise PreventUpdate
        kind = KINDS[wanted["kind"]]
        try:
            answer = await queries.book.request_operation(
                wanted["kind"], wanted["target"], reason="", argument=wanted["argument"], dry_run=True
            )
        except GuessbookError as error:
            title = kind.title.format(wanted["target"] or "what was named")
            return title, [], no_update, no_update, None, problem.told(error), "guarded impossible"
        target = answer.operation.target
        order = {**wanted, "target": target, "typed": target if kind.typed else ""}
        typed = f"Type {target} to confirm"
        return kind.title.format(target), steps(answer.plan), typed, kind.confirm, order, "", _ready(kind)

    app.callback(
        Output("guarded-title", "children", allow_duplicate=True),
        Output("guarded-plan", "children"),
        Output("guarded-typed", "label"),
        Output("guarded-confirm", "children"),
        Output("guarded-order", "data", allow_duplicate=True),
        Output("guarded-problem", "children", allow_duplicate=True),
        Output("guarded-body", "className", allow_duplicate=True),
        Input("guarded-asked", "data"),
        prevent_initial_call=True,
    )(plan)


def _ready(kind: Kind) -> str:
    return "guarded ready typed" if kind.typed else "guarded ready"


def steps(plan: Sequence[str]) -> list[Component]:
    """A dry run's plan, line by line."""
    return [html.Li(_capital(visible(line))) for line in plan]


def _capital(text: str) -> str:
    """As a sentence begins, unless it begins with a name."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def _register_progress(app: Dash, queries: Queries) -> None:
    async def confirm(_clicks: int | None, order: dict[str, str] | None, reason: str) -> tuple[Any, ...]:
        if not order:
            raise PreventUpdate
        try:
            answer = await queries.book.request_operation(
                order["kind"], order["target"], reason=reason, argument=order["argument"]
            )
        except GuessbookError as error:
            return no_update, problem.told(error)
        return answer.operation.id, ""

    async def follow(identity: str | None, _touched: Any, opened: bool) -> tuple[Any, ...]:
        if not identity:
            raise PreventUpdate
        operation = (await queries.book.operations(id=identity)).operations[0]
        ended = operation.stage in ENDS
        if ended and not opened:
            set_props("outcome", {"children": _outcome(operation)})
        return stages(operation), _progress_class(operation), None if ended else no_update

    app.callback(
        Output("guarded-operation", "data", allow_duplicate=True),
        Output("guarded-problem", "children", allow_duplicate=True),
        Input("guarded-confirm", "n_clicks"),
        State("guarded-order", "data"),
        State("guarded-reason", "value"),
        running=[(Output("guarded-confirm", "loading"), True, False)],
        prevent_initial_call=True,
    )(confirm)
    app.callback(
        Output("guarded-stages", "children"),
        Output("guarded-body", "className", allow_duplicate=True),
        Output("guarded-operation", "data", allow_duplicate=True),
        Input("guarded-operation", "data"),
        Input("versions-touched", "data"),
        State("guarded", "opened"),
        prevent_initial_call=True,
    )(follow)
    _register_left(app, queries)
    _register_abort(app, queries)


def _register_left(app: Dash, queries: Queries) -> None:
    """Operations that still ran when the dialog was opened for another one."""

    async def follow_left(left: list[str] | None, _touched: Any) -> tuple[list[Component], Patch]:
        over = await ended(queries.book, left or [])
        if not over:
            raise PreventUpdate
        # What the browser holds by now may be more than was asked about.
        rest = Patch()
        for operation in over:
            rest.remove(operation.id)
        return [_outcome(operation) for operation in over], rest

    app.callback(
        Output("outcome", "children", allow_duplicate=True),
        Output("guarded-left", "data", allow_duplicate=True),
        Input("guarded-left", "data"),
        Input("versions-touched", "data"),
        prevent_initial_call=True,
    )(follow_left)


async def ended(book: AsyncGuessbook, identities: Sequence[str]) -> list[Operation]:
    """Those of some operations that are over, however they ended."""
    answers = [await book.operations(id=identity) for identity in identities]
    return [operation for answer in answers for operation in answer.operations if operation.stage in ENDS]


def _progress_class(operation: Operation) -> str:
    if operation.stage in ENDS:
        return "guarded ended"
    waits = operation.kind == "consolidate" and operation.stage == OPERATION_STAGE_BACKED_UP
    return "guarded running waits" if waits else "guarded running"


def _register_abort(app: Dash, queries: Queries) -> None:
    async def abort(_clicks: int | None, identity: str | None) -> str:
        if not identity:
            raise PreventUpdate
        try:
            await queries.book.abort_operation(identity, reason=GIVEN_UP)
        except GuessbookError as error:
            return problem.told(error)
        return ""

    app.callback(
        Output("guarded-problem", "children", allow_duplicate=True),
        Input("guarded-abort", "n_clicks"),
        State("guarded-operation", "data"),
        prevent_initial_call=True,
    )(abort)


def stages(operation: Operation) -> list[Component]:
    """The way so far, the stage that is under way, and, once it has ended, how."""
    rows: list[Component] = []
    for stage, doing, over in STAGES:
        if reached(operation, stage):
            rows.append(_stage("right", over, _detail(operation, stage)))
        elif operation.stage not in ENDS:
            performing = KINDS[operation.kind].performing if operation.kind in KINDS else ""
            rows.append(_stage("clock", doing or performing, ""))
            break
    if operation.stage in ENDS:
        how, word = ENDS[operation.stage]
        rows.append(_stage("right" if how == "done" else "warning", word, end(operation), how))
    return rows


def reached(operation: Operation, stage: int) -> bool:
    """Whether an operation got so far. One that was refused or undone tells by what it left: its backup."""
    if operation.stage in (OPERATION_STAGE_REFUSED, OPERATION_STAGE_UNDONE):
        return stage == OPERATION_STAGE_REQUESTED or (stage == OPERATION_STAGE_BACKED_UP and bool(operation.backup))
    return operation.stage >= stage


def end(operation: Operation) -> str:
    """How it ended, what is safe, and what to do."""
    if operation.stage == OPERATION_STAGE_COMPLETED:
        return f"{_sentence(operation.checked)} The backup before it is {operation.backup}, at {', '.join(operation.places)}."
    return visible(f"{_sentence(operation.error)} {operation.hint}".strip())


def _sentence(text: str) -> str:
    return f"{_capital(text.rstrip('.'))}." if text else ""


def _detail(operation: Operation, stage: int) -> str:
    if stage == OPERATION_STAGE_BACKED_UP:
        return f"{operation.backup} at {', '.join(operation.places)}"
    return f"Operation {operation.id}" if stage == OPERATION_STAGE_REQUESTED else ""


def _stage(icon: str, word: str, detail: str, how: str = "") -> Component:
    return html.Li(
        className=f"guarded-stage {how}".strip(),
        children=[html.Span(className=f"icon icon-{icon}"), html.Strong(word), html.Span(detail)],
    )


def _outcome(operation: Operation) -> Component:
    """For the line in the frame, where the dialog was closed before the end."""
    how, word = ENDS[operation.stage]
    title = KINDS[operation.kind].title.format(operation.target) if operation.kind in KINDS else operation.kind
    told = f"{title}: {word.lower()}"
    return outcome.done(told, end(operation)) if how == "done" else outcome.failed(told, end(operation))
