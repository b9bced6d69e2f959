"""How a part of the page registers a callback that runs in the browser. The functions are in assets/*.js."""

from collections.abc import Callable
from typing import Any

from dash import ClientsideFunction, Dash
from dash.dependencies import DashDependency


def in_browser(app: Dash, function: str, *dependencies: DashDependency, at_start: bool = False) -> None:
    """`dependencies` are the function's Outputs, Inputs and States, in the order of its results and parameters."""
    register: Callable[..., Any] = app.clientside_callback
    register(ClientsideFunction("guessbook", function), *dependencies, prevent_initial_call=not at_start)
