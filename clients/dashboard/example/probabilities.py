"""How probable one example's guess and its expected answer were, by step. Knows the observations, no page."""

from math import isfinite
from typing import Any

import dash_mantine_components as dmc
from dash.development.base_component import Component

from guessbook.clients.dashboard.charts import AXIS, OF_EXAMPLE
from guessbook.proto.history_pb2 import Trajectory

LEGEND = (("line", "expected answer"), ("guessed", "its guess"))


def chart(trajectory: Trajectory) -> Component:
    """Percentages at the snapshots."""
    made: Component = dmc.LineChart(
        className="chart probabilities",
        h=130,
        data=data(trajectory),
        dataKey="step",
        series=[
            {"name": "guess", "label": "Its guess", "color": "var(--rate)", "strokeDasharray": "4 3"},
            {"name": "expected", "label": "Expected answer", "color": "var(--accent)"},
        ],
        **OF_EXAMPLE,
        yAxisProps={"width": 40, "tick": AXIS, "domain": [0, 100], "ticks": [0, 50, 100]},
        unit="%",
        lineChartProps={"margin": {"left": 0, "right": 10, "top": 6, "bottom": 0}},
        tooltipProps={"content": {"function": "probabilityTooltip"}},
    )
    return made


def data(trajectory: Trajectory) -> list[dict[str, Any]]:
    """One row an observation; what was not measured is left out. The last row is as far right as in the chart of the loss."""
    rows: list[dict[str, Any]] = []
    for one in trajectory.observations:
        measured = {"guess": one.confidence, "expected": one.expected_probability}
        rows.append({"step": one.step, **{k: round(100 * v, 1) for k, v in measured.items() if isfinite(v)}})
    last = max((visit.step for visit in trajectory.visits), default=0)
    return [*rows, {"step": last}] if not rows or last > rows[-1]["step"] else rows
