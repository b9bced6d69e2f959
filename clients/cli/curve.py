"""A loss curve drawn in text. Pure; knows only numbers."""

from collections.abc import Sequence

Point = tuple[int, float]  # step, loss in nats


def draw(visits: Sequence[Point], observations: Sequence[Point], width: int, height: int = 7) -> list[str]:
    """Lines of at most `width` characters: `·` a visit in training, `●` an observation. Empty without points."""
    points = [*visits, *observations]
    if not points:
        return []
    top = max(loss for _, loss in points) or 1.0
    last = max(step for step, _ in points)
    columns = max(width - 7, 10)  # the axis takes six characters and a bar
    rows = [[" "] * columns for _ in range(height)]
    for symbol, series in (("·", visits), ("●", observations)):
        for step, loss in series:
            column = round(step / last * (columns - 1)) if last else 0
            row = round((1 - loss / top) * (height - 1))
            rows[row][column] = symbol
    lines = []
    for number, row_text in enumerate(rows):
        value = top * (1 - number / (height - 1))
        lines.append(f"{value:5.2f} ┤{''.join(row_text)}".rstrip())
    lines.append("      └" + "─" * columns)
    lines.append("       0" + f"step {last}".rjust(columns - 1))
    return lines
