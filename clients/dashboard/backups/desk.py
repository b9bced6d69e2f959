"""The bar that says what is under way with backups, and what came of it; and the buttons' orders. Knows the work, and draws it."""

from collections.abc import Awaitable, Callable
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import numbers, problem, role
from guessbook.clients.dashboard.backups import work
from guessbook.clients.dashboard.backups.work import Desk, Outcome, Work
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError

LOOK_MS = 1000  # between two looks at work that is under way


def layout() -> Component:
    """`backup-order`: {task, id, place} of the button that was pressed, set in the browser."""
    return html.Div(
        className="desk",
        children=[
            dcc.Store(id="backup-order"),
            dcc.Interval(id="backup-look", interval=LOOK_MS, disabled=True),
            html.Div(id="backup-work", role="status", className="needs-now"),
        ],
    )


def register(app: Dash, queries: Queries, desk: Desk) -> None:
    async def show(order: dict[str, str] | None, _look: int | None, _touched: Any) -> tuple[list[Component], bool]:
        if order and ctx.triggered_id == "backup-order":
            try:
                obey(desk, queries.book, order)
            except GuessbookError as error:
                refused = html.P(problem.told(error), className="place-problem")
                return [*bar(desk.work), refused], not desk.busy
        return bar(desk.work), not desk.busy

    app.callback(
        Output("backup-work", "children"),
        Output("backup-look", "disabled"),
        Input("backup-order", "data"),
        Input("backup-look", "n_intervals"),
        Input("backups-touched", "data"),
    )(show)
    in_browser(
        app,
        "createBackup",
        Output("backup-order", "data", allow_duplicate=True),
        Input("backup-create", "n_clicks"),
        State("backup-place", "value"),
    )


def obey(desk: Desk, book: AsyncGuessbook, order: dict[str, str]) -> None:
    """Begins what a button asks for, or puts away what came of it. Raises Forbidden, Rejected."""
    if order["task"] == "dismiss":
        desk.dismiss()
        return
    identity, place = order["id"], order["place"]
    tasks: dict[str, tuple[str, Callable[[], Awaitable[Outcome]]]] = {
        "create": (f"Making a backup at {place or 'every place'}", lambda: work.create(book, place)),
        "verify": (f"Reading back {identity} at {place}", lambda: work.verify(book, identity, place)),
        "drill": (f"Restoring {identity} at {place} for the time being", lambda: work.drill(book, identity, place)),
    }
    doing, do = tasks[order["task"]]
    desk.begin(doing, lambda _work: do())


def bar(shown: Work | None) -> list[Component]:
    """Empty for a guest: what was asked for names folders of the machine."""
    if shown is None or not role.may_steer():
        return []
    if shown.outcome is None:
        return [
            html.Div(
                className="backup-work",
                children=[
                    html.Span(className="icon icon-clock"),
                    html.Strong(f"{shown.doing} …"),
                    html.Span(f"since {shown.since}", className="dim"),
                    html.Span(shown.said, className="dim said"),
                ],
            )
        ]
    return [_ended(shown, shown.outcome)]


def _ended(shown: Work, came: Outcome) -> Component:
    about: dict[str, Any] = {"data-task": "dismiss", "aria-label": "Close what is said of it"}
    how, word = ("done", "is done") if came.ok else ("failed", "failed")
    return html.Div(
        className=f"backup-work {how}",
        children=[
            html.Span(className=f"icon icon-{'right' if came.ok else 'warning'}"),
            html.Div(
                className="said",
                children=[
                    html.Div(
                        [
                            html.Strong(f"{shown.doing} {word}"),
                            html.Span(f"in {numbers.duration(shown.seconds)}", className="dim"),
                        ]
                    ),
                    html.P(came.text),
                    html.Pre(came.command, tabIndex=0) if came.command else None,
                    *(html.P(note, className="dim") for note in came.notes),
                ],
            ),
            html.Button(
                html.Span(className="icon icon-close"),
                className="icon-button",
                **about,
            ),
        ],
    )
