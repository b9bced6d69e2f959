"""The examples by category: how many of each are learned, and what changed. A category filters the list."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.states import SHOWN as STATES
from guessbook.clients.dashboard.states import counts
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import CategorySummary, SummariseExamplesResponse

SHOWN = 50  # the largest
LONGEST_NAME = 80  # characters

# By a pattern, since the callback that reads it also runs when the bars go with their page.
NAMES = {"type": "category-names", "of": "page"}
OUTPUTS = (
    Output("category-bars", "children"),
    Output("category-note", "children"),
    Output(NAMES, "data"),
)


def layout() -> Component:
    return html.Div(
        className="categories",
        children=[
            dcc.Store(id=NAMES),
            html.P(id="category-note", className="dim"),
            html.Div(id="category-bars", className="category-bars"),
        ],
    )


def register(app: Dash) -> None:
    in_browser(
        app,
        "filterByCategory",
        Output("url", "search", allow_duplicate=True),
        Input({"type": "category", "place": ALL}, "n_clicks"),
        State({"type": "category-names", "of": ALL}, "data"),
        State("url", "search"),
    )


def bars(summary: SummariseExamplesResponse, chosen: str) -> tuple[Any, ...]:
    """For `OUTPUTS`."""
    if not summary.matching:
        return [html.P("No example matches.", className="dim none")], "", []
    told = summary.categories
    if not any(each.category for each in told):
        return [_without()], "", []
    rows = [_bar(place, each, each.category == chosen) for place, each in enumerate(told)]
    return rows, note(len(told), summary.category_count, bool(summary.states_before)), [each.category for each in told]


def note(shown: int, there_are: int, compared: bool) -> str:
    many = (
        f"{shown} of {numbers.count(there_are)} categories, the largest" if shown < there_are else f"{shown} categories"
    )
    return f"{many} · learned" + (" · change in points" if compared else "")


def _without() -> Component:
    return html.P(
        [
            "The examples have no categories. Give each record a field ",
            html.Code("category"),
            ", and they are told apart here.",
        ],
        className="dim none",
    )


def _bar(place: int, told: CategorySummary, chosen: bool) -> Component:
    now = counts(told.states)
    observed = sum(now.values())
    name = visible(told.category[:LONGEST_NAME])
    points = change_in_points(told)
    parts = [
        html.I(className=f"part {state.word}", style={"flexGrow": now[state.word]})
        for state in STATES
        if now[state.word]
    ]
    pressed: dict[str, Any] = {"aria-pressed": str(chosen).lower()}
    return html.Button(
        id={"type": "category", "place": place},
        className="category",
        # What has no category can't be asked for.
        disabled=not name,
        title=", ".join(
            f"{numbers.count(now[state.word])} {state.label.lower()}" for state in STATES if now[state.word]
        ),
        children=[
            html.Span(name or "(none)", className="category-name", dir="auto"),
            html.Span(numbers.count(told.count), className="dim"),
            html.Span(parts, className="bar"),
            html.Strong(numbers.share(now["learned"], observed)),
            html.Span(in_points(points), className=f"points {verdict(points)}") if points is not None else None,
        ],
        **pressed,
    )


def change_in_points(told: CategorySummary) -> float | None:
    """By how much the share of what is learned grew, in percentage points; None where there is nothing to compare with."""
    now, before = counts(told.states), counts(told.states_before)
    many, were = sum(now.values()), sum(before.values())
    return 100 * (now["learned"] / many - before["learned"] / were) if many and were else None


def in_points(change: float) -> str:
    """+8.7, −1.2 or ±0.0"""
    sign = {"better": "+", "worse": numbers.MINUS, "": "±"}[verdict(change)]
    return f"{sign}{abs(change):.1f}"


def verdict(points: float) -> str:
    return "better" if points >= 0.05 else "worse" if points <= -0.05 else ""
