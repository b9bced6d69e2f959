"""The data map: where the examples lie by how probable their expected answer was, and how much that varied (Swayamdipta et al. 2020).

A dot stands for the examples of one cell; its area says how many they are, its colour how often they were right. A rectangle on it is a filter. It is drawn in the
browser (assets/data_map.js) from the cells that the server counted, so that its size does not depend on how many examples there are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import asked_view
from guessbook.proto.history_pb2 import MapCell, SummariseExamplesResponse

WORD = "map"  # of its tab, in the URL
CELLS = 30  # along each axis; even, so that no cell is in two regions
MOST_VARIABLE = 0.5  # the standard deviation of a probability can't be more
BORDERS = (
    ("confidence-from", "Confidence", "Confidence from", 1.0),
    ("confidence-to", "to", "Confidence to", 1.0),
    ("variability-from", "variability", "Variability from", MOST_VARIABLE),
    ("variability-to", "to", "Variability to", MOST_VARIABLE),
)


@dataclass(frozen=True)
class Region:
    """A part of the map that has a name. The paper names them without borders: here they meet in the middle of each axis."""

    word: str
    label: str
    meaning: str
    box: str  # as the URL has it; just under the border where the next one begins

    def holds(self, cell: MapCell) -> bool:
        return self.word == _region(cell)


REGIONS = (
    Region("easy", "Easy", "The expected answer was probable, and stayed so.", "0.5,1,0,0.24999"),
    Region("ambiguous", "Ambiguous", "Its probability came and went: these teach the most.", "0,1,0.25,0.5"),
    Region("hard", "Hard", "It stayed improbable: look here for wrong labels.", "0,0.49999,0,0.24999"),
)


def layout() -> Component:
    return html.Div(
        className="data-map-part",
        children=[
            html.Div(
                className="regions",
                children=[
                    *(_region_button(region) for region in REGIONS),
                    html.Span(id="data-map-said", className="dim", role="status"),
                ],
            ),
            # The browser draws into it; React leaves it alone, since it has no children.
            html.Div(id="data-map", className="data-map"),
            html.Div(className="data-map-foot", children=[_legend(), _fields()]),
            dcc.Store(id="data-map-cells"),
            dcc.Store(id="data-map-drawn"),
        ],
    )


def _region_button(region: Region) -> Component:
    not_pressed: dict[str, Any] = {"aria-pressed": "false"}
    return html.Button(
        id={"type": "region", "word": region.word, "box": region.box},
        className="region",
        title=f"{region.meaning} Click to list only these.",
        children=[html.Span(region.label), html.Strong(id={"type": "region-count", "word": region.word})],
        **not_pressed,
    )


def _legend() -> Component:
    return html.Div(
        className="legend",
        children=[
            html.Span(["never right", html.I(className="ramp"), "always right"]),
            html.Span([html.I(className="disc small"), html.I(className="disc"), html.Span(id="data-map-most")]),
        ],
    )


def _fields() -> Component:
    """The rectangle in numbers: what a mouse draws, a keyboard can write."""
    fields = []
    for name, before, label, most in BORDERS:
        field = dmc.NumberInput(
            id=f"box-{name}",
            min=0,
            max=most,
            step=0.05,
            decimalScale=5,
            hideControls=True,
            debounce=400,
            size="xs",
            w=62,
            **{"aria-label": label},
        )
        fields += [html.Span(before), field]
    return html.Div(
        className="box-fields",
        children=[
            html.Span(fields[:4], className="box-pair"),
            html.Span(fields[4:], className="box-pair"),
            html.Button("Clear", id="box-clear", className="link-button", disabled=True),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def cells(filtered: dict[str, Any] | None) -> tuple[Any, ...]:
        if not filtered or not filtered["run"]:
            raise PreventUpdate
        # All that the other filters leave: the rectangle is drawn upon it.
        view = replace(asked_view(filtered), box=None)
        summary = await queries.summary(filtered["run"], view, filtered["position"], cells=CELLS)
        return data(summary), region_counts(summary.cells), said(summary)

    app.callback(
        Output("data-map-cells", "data"),
        Output({"type": "region-count", "word": ALL}, "children"),
        Output("data-map-said", "children"),
        Input(f"{WORD}-asked", "data"),
    )(cells)
    _register_drawing(app)


def _register_drawing(app: Dash) -> None:
    search, url = State("url", "search"), Output("url", "search", allow_duplicate=True)
    values = [Input(f"box-{name}", "value") for name, *_ in BORDERS]
    in_browser(
        app,
        "drawDataMap",
        Output("data-map-drawn", "data"),
        Output("data-map-most", "children"),
        Input("data-map-cells", "data"),
        Input("view", "data"),
        at_start=True,
    )
    in_browser(
        app,
        "showBox",
        Output("box-clear", "disabled"),
        Output({"type": "region", "word": ALL, "box": ALL}, "aria-pressed"),
        Input("view", "data"),
        State({"type": "region", "word": ALL, "box": ALL}, "id"),
        at_start=True,
    )
    in_browser(app, "boxOfFields", url, *values, search)
    in_browser(app, "boxOfRegion", url, Input({"type": "region", "word": ALL, "box": ALL}, "n_clicks"), search)
    in_browser(app, "clearBox", url, Input("box-clear", "n_clicks"), search)


def data(summary: SummariseExamplesResponse) -> dict[str, Any]:
    """What the browser draws: `cells` as [variability, confidence, count, share right or None], from the left and from below."""
    rows = [
        [
            cell.variability,
            cell.confidence,
            cell.count,
            round(cell.correctness, 3) if isfinite(cell.correctness) else None,
        ]
        for cell in summary.cells
    ]
    return {"across": CELLS, "up": CELLS, "cells": rows}


def region_counts(cells: Iterable[MapCell]) -> list[str]:
    """How many examples lie in each region, in the order of `REGIONS`."""
    found = list(cells)
    return [numbers.count(sum(cell.count for cell in found if region.holds(cell))) for region in REGIONS]


def said(summary: SummariseExamplesResponse) -> str:
    """Of how many examples the map is, where some have no place on it."""
    placed = sum(cell.count for cell in summary.cells)
    if not placed:
        return "No snapshot has looked at any of these examples yet."
    if placed == summary.matching:
        return f"{numbers.count(placed)} examples; drag to list a part of them"
    return (
        f"{numbers.count(placed)} of {numbers.count(summary.matching)} examples, the others were never looked at; "
        "drag to list a part of them"
    )


def _region(cell: MapCell) -> str:
    if cell.variability >= CELLS // 2:
        return "ambiguous"
    return "easy" if cell.confidence >= CELLS // 2 else "hard"
