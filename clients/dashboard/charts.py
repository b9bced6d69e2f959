"""The charts, and their data from what the server answers. Colours come from the style sheet, so that they follow the scheme."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard.states import SHOWN, counts
from guessbook.proto.history_pb2 import Snapshot, Steps, Trajectory

AXIS = {"fontSize": 11}
# The charts of one example stand below each other: the same lines, over the same steps.
OF_EXAMPLE: dict[str, Any] = {
    "connectNulls": True,
    "curveType": "linear",
    "strokeWidth": 2,
    "withDots": True,
    "dotProps": {"r": 3},
    "gridAxis": "x",
    "tickLine": "none",
    "tooltipAnimationDuration": 0,
    "lineProps": {"isAnimationActive": False},
    "xAxisProps": {"type": "number", "domain": [0, "auto"], "tick": AXIS, "tickCount": 6, "height": 24},
}
LOSS_LEGEND = (("line", "step"), ("band", "its examples"), ("rate", "learning rate"))
STORY_LEGEND = (("line", "at snapshots"), ("visit", "in training"))
SMALLEST_LOSS = 1e-4  # what a logarithmic axis shows for less


def legend(entries: Sequence[tuple[str, str]]) -> Component:
    """Pairs of a class, which draws the mark, and a text."""
    return html.Div(
        className="legend",
        children=[html.Span([html.I(className=f"mark {mark}"), text]) for mark, text in entries],
    )


def loss_chart(name: str) -> Component:
    """Loss by step with the band of the examples' losses, and the learning rate on the right axis."""
    chart: Component = dmc.CompositeChart(
        id=name,
        className="chart",
        h=180,
        data=[],
        dataKey="step",
        series=[
            {"name": "band", "label": "Examples", "color": "var(--accent)", "type": "area"},
            {
                "name": "rate",
                "label": "Learning rate",
                "color": "var(--rate)",
                "type": "line",
                "yAxisId": "right",
                "strokeDasharray": "4 3",
            },
            {"name": "loss", "label": "Loss", "color": "var(--accent)", "type": "line"},
        ],
        withDots=False,
        strokeWidth=2,
        curveType="linear",
        withRightYAxis=True,
        gridAxis="x",
        tickLine="none",
        tooltipAnimationDuration=0,
        areaProps={"isAnimationActive": False, "strokeWidth": 0, "fillOpacity": 0.14, "activeDot": False},
        lineProps={"isAnimationActive": False},
        xAxisProps={"type": "number", "domain": [0, "auto"], "tick": AXIS, "tickCount": 6, "height": 24},
        yAxisProps={"width": 34, "tick": AXIS, "domain": [0, "auto"]},
        rightYAxisProps={"width": 48, "tick": AXIS, "tickFormatter": {"function": "learningRate"}},
        tooltipProps={"content": {"function": "lossTooltip"}},
        composedChartProps={"margin": {"left": 0, "right": 0, "top": 6, "bottom": 0}},
    )
    return chart


def loss_data(steps: Steps) -> list[dict[str, Any]]:
    low = steps.loss_low or steps.loss
    high = steps.loss_high or steps.loss
    return [
        {"step": step, "loss": round(loss, 4), "rate": rate, "band": [round(lowest, 4), round(highest, 4)]}
        for step, loss, rate, lowest, highest in zip(
            steps.step, steps.loss, steps.learning_rate, low, high, strict=True
        )
    ]


def states_chart(name: str) -> Component:
    """How many examples were in each state at each snapshot, as shares."""
    chart: Component = dmc.AreaChart(
        id=name,
        className="chart",
        h=180,
        data=[],
        dataKey="step",
        type="percent",
        series=[{"name": shown.word, "label": shown.label, "color": shown.colour} for shown in SHOWN],
        withDots=False,
        withGradient=False,
        fillOpacity=0.72,
        strokeWidth=1,
        curveType="linear",
        gridAxis="none",
        tickLine="none",
        tooltipAnimationDuration=0,
        areaProps={"isAnimationActive": False},
        xAxisProps={"tick": AXIS, "interval": "preserveStartEnd", "height": 24},
        yAxisProps={"width": 40, "tick": AXIS},
        areaChartProps={"margin": {"left": 0, "right": 8, "top": 6, "bottom": 0}},
        tooltipProps={"content": {"function": "statesTooltip"}},
    )
    return chart


def states_data(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    return [{"step": snapshot.step, **counts(list(snapshot.states))} for snapshot in snapshots]


def story_chart(trajectory: Trajectory) -> Component:
    """One example's loss, logarithmic: at the snapshots, and faintly at its visits in training. A line says since when it is learned."""
    example = trajectory.example
    rows = story_data(trajectory)
    lines = []
    if example.HasField("learned_step"):
        # On the side of the line where there is room.
        side = "insideTopRight" if rows and 2 * example.learned_step > rows[-1]["step"] else "insideTopLeft"
        lines.append({"x": example.learned_step, "label": "learned", "color": "var(--learned)", "labelPosition": side})
    chart: Component = dmc.CompositeChart(
        className="chart",
        h=170,
        data=rows,
        dataKey="step",
        series=[
            {"name": "visit", "label": "In training", "color": "var(--faint)", "type": "line"},
            {"name": "loss", "label": "At the snapshot", "color": "var(--accent)", "type": "line"},
        ],
        **OF_EXAMPLE,
        referenceLines=lines,
        yAxisProps={
            "width": 40,
            "tick": AXIS,
            "scale": "log",
            "domain": ["auto", "auto"],
            "tickFormatter": {"function": "lossTick"},
        },
        composedChartProps={"margin": {"left": 0, "right": 10, "top": 10, "bottom": 0}},
        tooltipProps={"content": {"function": "lossTooltip"}},
    )
    return chart


def story_data(trajectory: Trajectory) -> list[dict[str, Any]]:
    """One row a step at which the example was observed or visited, and its loss was a number."""
    rows: dict[int, dict[str, Any]] = {}
    for visit in (visit for visit in trajectory.visits if isfinite(visit.loss)):
        rows.setdefault(visit.step, {"step": visit.step})["visit"] = round(max(visit.loss, SMALLEST_LOSS), 5)
    for observation in (observation for observation in trajectory.observations if isfinite(observation.loss)):
        rows.setdefault(observation.step, {"step": observation.step})["loss"] = round(
            max(observation.loss, SMALLEST_LOSS), 5
        )
    return [rows[step] for step in sorted(rows)]
