"""A text of the data or of the model on the page: only ever as text, with nothing in it that hides or turns what stands around it. Knows no example."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.visible import visible
from guessbook.projections.datasets import TEXT_LIMIT, is_cut

LONGEST_TEXT = 20_000  # characters of one text that are shown at once
SCROLLS = 300  # characters that may be more than their place holds


def block(label: str, text: str) -> Component:
    """A prompt or an answer under its name."""
    head: list[Component | str] = [label]
    if is_cut(text):
        head.append(f" · the book has the first {numbers.count(TEXT_LIMIT)} characters")
    return html.Section(
        className="text",
        children=[
            html.H3(head),
            foreign(whole(text) if text else [html.Span("(empty)", className="dim")], len(text)),
        ],
    )


def foreign(parts: list[Component], length: int, more: str = "") -> Component:
    """The place of a text, in its own direction. What is too long for it scrolls, for which the keyboard must be able to go there."""
    reach: dict[str, Any] = {"tabIndex": 0} if length > SCROLLS else {}
    return html.Div(parts, className=f"foreign {more}".strip(), dir="auto", **reach)


def whole(text: str) -> list[Component]:
    """The text; of a long one the beginning, and the rest to be opened."""
    first = html.Span(visible(text[:LONGEST_TEXT]))
    if len(text) <= LONGEST_TEXT:
        return [first]
    rest = html.Details(
        className="rest",
        children=[
            html.Summary(f"Show the other {numbers.count(len(text) - LONGEST_TEXT)} characters"),
            html.Div(visible(text[LONGEST_TEXT:]), className="foreign", dir="auto"),
        ],
    )
    return [first, rest]
