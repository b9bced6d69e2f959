"""3-2-1 in words and marks: three copies, in two places, one of them elsewhere. Shows what the server counted, counts nothing itself."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.proto.safety_pb2 import Coverage

PARTS = (
    # one and several of it, how many there must be, what counts
    ("copy", "copies", 3, "The book in use is one; so is each place with a whole backup of the last 3 days."),
    ("location", "locations", 2, "The data folder is one, with whatever lies in it."),
    ("offsite", "offsite", 1, "A place that config.yaml says is on another site."),
)


def card(coverage: Coverage) -> list[Component | None]:
    """The children of the card."""
    counts = (coverage.copies, coverage.places, int(coverage.offsite))
    state = ("badge completed", "3-2-1 is met") if coverage.met else ("badge held", "3-2-1 is not met")
    return [
        html.Div(
            className="card-head", children=[html.H2("How safe the book is"), html.Span(state[1], className=state[0])]
        ),
        html.Div(
            className="parts",
            children=[
                _part(one if have == 1 else several, have, need, counts_as)
                for have, (one, several, need, counts_as) in zip(counts, PARTS, strict=True)
            ],
        ),
        html.P(f"{coverage.sentence}.", className="coverage-sentence"),
        html.P(advice(coverage.advice), className="coverage-advice") if coverage.advice else None,
    ]


def _part(label: str, have: int, need: int, counts_as: str) -> Component:
    marks = [html.I(className="part-mark full" if number < have else "part-mark") for number in range(max(have, need))]
    unseen: dict[str, Any] = {"aria-hidden": "true"}
    return html.Div(
        className="part met" if have >= need else "part",
        title=counts_as,
        children=[
            html.Div(marks, className="part-marks", **unseen),
            html.Div([html.Strong(have), f" {label} · {need} needed"]),
            html.P(counts_as, className="dim"),
        ],
    )


def advice(text: str) -> list[str | Component]:
    """A server's sentence with what stands in backticks as code."""
    return [html.Code(part) if number % 2 else part for number, part in enumerate(text.split("`"))]
