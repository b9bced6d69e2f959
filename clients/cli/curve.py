"""A loss curve drawn in text, on a logarithmic scale: what a loss gains late is as wide as what it gained early. Pure; knows only numbers."""

import math
from collections.abc import Sequence

Point = tuple[int, float]  # step, loss in nats

FLOOR = 1e-3  # nats; below it nothing is told apart, and a loss of 0 has no logarithm
_AXIS = 7  # columns of the axis: its number, a space, its line


def draw(visits: Sequence[Point], observations: Sequence[Point], width: int, height: int = 7) -> list[str]:
    """Lines of at most `width` characters: `·` a visit in training, `●` an observation. Empty without points."""
    points = [(step, loss) for step, loss in [*visits, *observations] if math.isfinite(loss)]
    if not points:
        return []
    low, high = _range([loss for _, loss in points])
    last = max(step for step, _ in points)
    columns = max(width - _AXIS, 10)
    rows = [[" "] * columns for _ in range(height)]
    for symbol, series in (("·", visits), ("●", observations)):
        for step, loss in series:
            if math.isfinite(loss):
                column = round(step / last * (columns - 1)) if last else 0
                share = (math.log(high) - math.log(max(loss, FLOOR))) / (math.log(high) - math.log(low))
                rows[round(share * (height - 1))][column] = symbol
    values = [high * (low / high) ** (number / (height - 1)) for number in range(height)]
    lines = [f"{_axis(value)} ┤{''.join(row)}".rstrip() for value, row in zip(values, rows, strict=True)]
    return [*lines, " " * (_AXIS - 1) + "└" + "─" * columns, " " * _AXIS + "0" + f"step {last}".rjust(columns - 1)]


def _range(losses: Sequence[float]) -> tuple[float, float]:
    """The axis from its lower to its upper end, never empty."""
    low, high = max(min(losses), FLOOR), max(*losses, FLOOR)
    return (low, high) if high > low * 1.1 else (low / 1.5, high * 1.5)


def _axis(value: float) -> str:
    """Five characters with about three digits."""
    return f"{value:5.3f}" if value < 10 else f"{min(value, 99999):5.4g}"
