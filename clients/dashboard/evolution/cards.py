"""How many examples are in which state, now and at each snapshot. A card filters the list below."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import charts, numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import SHOWN, Shown, counts
from guessbook.proto.history_pb2 import Run


def state_cards() -> Component:
    return html.Div(className="states", children=[_card(shown) for shown in SHOWN])


def states_card() -> Component:
    return html.Div(
        className="card chart-card evolution",
        children=[
            html.Div(className="card-head", children=[html.H2("States at each snapshot")]),
            charts.states_chart("states-chart"),
        ],
    )


def _card(shown: Shown) -> Component:
    not_pressed: dict[str, Any] = {"aria-pressed": "false"}
    return html.Button(
        id={"type": "state", "word": shown.word},
        className=f"card state {shown.word}",
        children=[
            html.Span([html.I(className=f"state-mark {shown.word}"), shown.label], className="state-label"),
            html.Div(
                id={"type": "state-numbers", "word": shown.word}, className="state-numbers", children=_numbers(0, 0, 0)
            ),
        ],
        title=f"{shown.meaning} Click to list only these.",
        **not_pressed,
    )


def _numbers(many: int, tracked: int, before: int | None) -> list[Component | None]:
    """Share, count, and the change since the snapshot before, where there is one."""
    change = (
        html.Span(numbers.change(many - before), className="change") if before is not None and many != before else None
    )
    return [html.Strong(numbers.share(many, tracked)), html.Span(numbers.count(many), className="dim"), change]


def register(app: Dash, queries: Queries) -> None:
    async def states(touched: dict[str, Any] | None) -> tuple[list[list[Component | None]], list[dict[str, Any]]]:
        if not touched or not touched["run"]:
            raise PreventUpdate
        run = await queries.run(touched["run"], touched["at"])
        return state_numbers(run), charts.states_data(run.snapshots)

    app.callback(
        Output({"type": "state-numbers", "word": ALL}, "children"),
        Output("states-chart", "data"),
        Input("snapshots-touched", "data"),
    )(states)

    in_browser(
        app,
        "filterByState",
        Output("url", "search", allow_duplicate=True),
        Input({"type": "state", "word": ALL}, "n_clicks"),
        State("url", "search"),
    )
    in_browser(
        app,
        "pressStates",
        Output({"type": "state", "word": ALL}, "aria-pressed"),
        Input("url", "search"),
        State({"type": "state", "word": ALL}, "id"),
        at_start=True,
    )


def state_numbers(run: Run) -> list[list[Component | None]]:
    """The contents of the cards, in the order of `SHOWN`."""
    now = counts(run.states)
    before = counts(run.snapshots[-2].states) if len(run.snapshots) > 1 else None
    return [_numbers(now[shown.word], run.tracked, before[shown.word] if before else None) for shown in SHOWN]
