"""What the page says when a question to the server failed. What was shown before stays."""

import logging

from dash import html, set_props
from dash.development.base_component import Component

from guessbook.clients.errors import GuessbookError

log = logging.getLogger(__name__)


def layout() -> Component:
    return html.Div(id="problem", className="problem", role="alert")


def told(error: GuessbookError) -> str:
    """What happened, and what to do next."""
    happened = str(error).rstrip(".")
    return f"{happened[:1].upper()}{happened[1:]}. {error.hint}".strip()


def report(error: Exception) -> None:
    """For callbacks that leave their part of the page as it was. The next good answer takes the text away."""
    if isinstance(error, GuessbookError):
        set_props("problem", {"children": told(error)})
        return
    log.error("a callback failed", exc_info=error)
    text = "A part of this page failed; the output of the dashboard's process says why. Training is not affected."
    set_props("problem", {"children": text})
