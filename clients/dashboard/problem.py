"""What the page says when a question to the server failed. What was shown before stays."""

import logging
from typing import Any

from dash import Dash, Input, Output, html, set_props
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible

log = logging.getLogger(__name__)


def layout() -> Component:
    named: dict[str, Any] = {"aria-label": "Close this message"}
    return html.Div(
        className="problem",
        children=[
            html.Div(id="problem", role="alert"),
            html.Button(html.Span(className="icon icon-close"), id="problem-close", className="icon-button", **named),
        ],
    )


def register(app: Dash) -> None:
    """It stands until somebody closes it, or goes on; and when the line to the server is back, live.js takes it away."""
    gone = Output("problem", "children")
    in_browser(
        app, "closeProblem", gone, Input("problem-close", "n_clicks"), Input("url", "search"), Input("url", "pathname")
    )


def told(error: GuessbookError) -> str:
    """What happened, and what to do next."""
    happened = str(error).rstrip(".")
    return visible(f"{happened[:1].upper()}{happened[1:]}. {error.hint}".strip())


def report(error: Exception) -> None:
    """For callbacks that leave their part of the page as it was."""
    if isinstance(error, GuessbookError):
        set_props("problem", {"children": told(error)})
        return
    log.error("a callback failed", exc_info=error)
    text = "A part of this page failed; the output of the dashboard's process says why. Training is not affected."
    set_props("problem", {"children": text})
