"""The line at the foot of the frame that says what came of a command. Knows no command."""

from uuid import uuid4

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import problem
from guessbook.clients.errors import GuessbookError


def done(what: str, more: str = "") -> Component:
    """The children of #outcome."""
    return _line("done", what, more)


def failed(what: str, error: GuessbookError | str) -> Component:
    """The children of #outcome. `what` failed, for which the error says why and what to do."""
    return _line("failed", what, problem.told(error) if isinstance(error, GuessbookError) else error)


def _line(how: str, what: str, more: str) -> Component:
    # A key of its own: it is a new element, and shows again although the one before has faded.
    return html.Div(key=uuid4().hex, className=f"outcome {how}", children=[html.Strong(what), html.Span(more)])
