"""config.yaml, to be read and changed: the change itself is a guarded operation. Knows no key of the config."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError

HIDDEN = "…"  # stands for what is secret
EMPTY = "# Nothing is set: everything is as it is by itself.\n"


def button() -> Component:
    made: Component = dmc.Button(
        "Settings…", id="settings-open", variant="default", size="xs", className="needs-right needs-now"
    )
    return made


def layout() -> Component:
    made: Component = dmc.Modal(
        id="settings",
        opened=False,
        centered=True,
        size="xl",
        closeButtonProps={"aria-label": "Close"},
        title=html.Strong("config.yaml"),
        children=[
            html.P(id="settings-path", className="dim"),
            dmc.Textarea(
                id="settings-yaml",
                autosize=True,
                minRows=8,
                maxRows=24,
                value="",
                className="settings-yaml",
                **{"aria-label": "config.yaml as YAML"},
            ),
            html.P(id="settings-problem", className="place-problem", role="alert"),
            html.Div(
                className="confirm-buttons",
                children=[
                    dmc.Button("Close", id="settings-close", variant="default"),
                    dmc.Button("Change…", id="settings-change", disabled=True),
                ],
            ),
        ],
    )
    return made


def register(app: Dash, queries: Queries) -> None:
    async def show(clicks: int | None) -> tuple[Any, ...]:
        if not clicks:
            raise PreventUpdate
        try:
            config = await queries.book.config()
        except GuessbookError as error:
            return True, "", "", True, problem.told(error), True
        secret = HIDDEN in config.yaml
        return True, config.path, config.yaml or EMPTY, secret, _secret(config.path) if secret else "", secret

    app.callback(
        Output("settings", "opened"),
        Output("settings-path", "children"),
        Output("settings-yaml", "value"),
        Output("settings-yaml", "readOnly"),
        Output("settings-problem", "children"),
        Output("settings-change", "disabled"),
        Input("settings-open", "n_clicks"),
        prevent_initial_call=True,
    )(show)
    in_browser(
        app,
        "changeSettings",
        Output("settings", "opened", allow_duplicate=True),
        Input("settings-change", "n_clicks"),
        Input("settings-close", "n_clicks"),
        State("settings-yaml", "value"),
    )


def _secret(path: str) -> str:
    """What is not shown would be lost if it were changed from here."""
    return (
        f"It holds secrets, which are not shown, so it can't be changed here. On the server's machine: edit a copy of {path}, then run "
        "`guessbook config set COPY --reason TEXT`."
    )
