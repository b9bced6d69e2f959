"""How many examples are in which state, now and at each snapshot. A card filters the list below, a snapshot is looked back at."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import charts, numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import SHOWN, Shown, counts
from guessbook.proto.history_pb2 import Snapshot, SummariseExamplesResponse

WANTED = {"learned": 1, "struggling": -1, "not_learned": -1, "regressed": -1}  # which way is good
LONGEST_LINE = 60  # snapshots in a sparkline


def state_cards() -> Component:
    return html.Div(className="states", children=[_card(shown) for shown in SHOWN])


def states_card() -> Component:
    return html.Div(
        className="card chart-card evolution",
        children=[
            html.Div(
                className="card-head",
                children=[html.H2("States at each snapshot"), html.Span(id="states-note", className="dim")],
            ),
            charts.states_chart("states-chart"),
        ],
    )


def _card(shown: Shown) -> Component:
    not_pressed: dict[str, Any] = {"aria-pressed": "false"}
    line = dmc.Sparkline(
        id={"type": "state-line", "word": shown.word},
        data=[],
        w=40,
        h=24,
        color=shown.colour,
        curveType="linear",
        strokeWidth=1.5,
        fillOpacity=0.14,
        withGradient=False,
        areaProps={"isAnimationActive": False},
    )
    return html.Button(
        id={"type": "state", "word": shown.word},
        className=f"card state {shown.word}",
        children=[
            html.Span([html.I(className=f"state-mark {shown.word}"), shown.label], className="state-label"),
            html.Span(id={"type": "state-numbers", "word": shown.word}, className="state-numbers"),
            html.Span(line, className="state-line"),
        ],
        title=f"{shown.meaning} Click to list only these.",
        **not_pressed,
    )


def register(app: Dash, queries: Queries) -> None:
    async def lines(touched: dict[str, Any] | None) -> tuple[list[list[int]], list[dict[str, Any]], str]:
        if not touched or not touched["run"]:
            raise PreventUpdate
        snapshots = (await queries.run(touched["run"], touched["at"])).snapshots
        return state_lines(snapshots), charts.states_data(snapshots), note(len(snapshots))

    app.callback(
        Output({"type": "state-line", "word": ALL}, "data"),
        Output("states-chart", "data"),
        Output("states-note", "children"),
        Input("snapshots-touched", "data"),
    )(lines)

    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    in_browser(app, "filterByState", url, Input({"type": "state", "word": ALL}, "n_clicks"), search)
    in_browser(
        app,
        "pressStates",
        Output({"type": "state", "word": ALL}, "aria-pressed"),
        Input("view", "data"),
        State({"type": "state", "word": ALL}, "id"),
        at_start=True,
    )
    in_browser(app, "pickOnChart", url, Input("states-chart", "clickData"), search)
    in_browser(
        app,
        "markOnChart",
        Output("states-chart", "referenceLines"),
        Input("view", "data"),
        Input("states-chart", "data"),
        State("states-chart", "referenceLines"),
        at_start=True,
    )


def note(snapshots: int) -> str:
    if not snapshots:
        return "The first snapshot is taken before training begins."
    return (
        "All examples; the curves begin with the second snapshot"
        if snapshots == 1
        else "All examples; click to look back"
    )


def state_numbers(summary: SummariseExamplesResponse) -> list[list[Component | None]]:
    """The contents of the cards, in the order of `SHOWN`."""
    now = counts(summary.states)
    before = counts(summary.states_before) if summary.states_before else None
    return [_numbers(shown, now, before) for shown in SHOWN]


def _numbers(shown: Shown, now: dict[str, int], before: dict[str, int] | None) -> list[Component | None]:
    """Share, count, and the change, where there is something to compare with."""
    many = now[shown.word]
    change = many - before[shown.word] if before is not None else 0
    good = WANTED.get(shown.word, 0) * change
    verdict = "better" if good > 0 else "worse" if good < 0 else ""
    return [
        html.Strong(numbers.share(many, sum(now.values()))),
        html.Span(numbers.count(many), className="dim"),
        html.Span(numbers.change(change), className=f"change {verdict}") if change else None,
    ]


def state_lines(snapshots: Sequence[Snapshot]) -> list[list[int]]:
    """How many examples were in each state at the last snapshots, in the order of `SHOWN`."""
    told = [counts(snapshot.states) for snapshot in snapshots[-LONGEST_LINE:]]
    return [[each[shown.word] for each in told] for shown in SHOWN]
