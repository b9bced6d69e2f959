"""The dialog of a restore: which backup, into which folder, up to where, and why."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import problem
from guessbook.clients.dashboard.backups import restoring
from guessbook.clients.dashboard.backups.work import Desk
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError


def layout() -> Component:
    """`restore-what`: {id, place} of the backup whose button was pressed, set in the browser."""
    return html.Div(
        [
            dcc.Store(id="restore-what"),
            dmc.Modal(
                id="restore-dialog",
                centered=True,
                opened=False,
                size="lg",
                closeButtonProps={"aria-label": "Close"},
                title=html.Strong(id="restore-title"),
                children=[
                    html.P(
                        "A new data folder is made of it on the machine that the dashboard runs on, whole and checked, or none. This one, and what runs, "
                        "stays as it is. Whoever wrote to the log has to begin anew in the restored one."
                    ),
                    html.Div(className="restore-form", children=_fields()),
                    html.P(id="restore-problem", className="place-problem", role="alert"),
                    html.Div(
                        className="confirm-buttons",
                        children=[
                            dmc.Button("Cancel", id="restore-cancel", variant="default"),
                            dmc.Button("Restore", id="restore-go"),
                        ],
                    ),
                ],
            ),
        ]
    )


def _fields() -> list[Component]:
    return [
        dmc.TextInput(
            id="restore-to",
            label="New data folder",
            description="A whole path; must not be there yet, or be empty.",
            placeholder="/home/me/guessbook-restored",
            required=True,
            value="",
        ),
        dmc.NumberInput(
            id="restore-position",
            label="Up to position",
            description="Empty: all of it. Else up to the last commit that ends at or before this position.",
            min=1,
            allowDecimal=False,
            thousandSeparator=",",
            value="",
        ),
        dmc.TextInput(id="restore-reason", label="Reason", description="It is kept in the new log.", value=""),
    ]


def register(app: Dash, queries: Queries, desk: Desk) -> None:
    async def go(
        clicks: int | None, what: dict[str, str] | None, to: str, position: int | str | None, reason: str | None
    ) -> tuple[Any, ...]:
        if not clicks or not what:
            raise PreventUpdate
        book = queries.book
        try:
            # The right first: whether a folder is there is nothing to tell a guest.
            source = await restoring.source(book, what["place"])
            path = restoring.folder(to)
            upto = position if isinstance(position, int) else None
            desk.begin(
                f"Restoring {what['id']} into {path}",
                lambda work: restoring.restore(source, what["id"], path, upto, reason or "", work.say),
            )
        except GuessbookError as error:
            return no_update, problem.told(error), no_update
        return False, "", False

    in_browser(
        app,
        "openRestore",
        Output("restore-dialog", "opened"),
        Output("restore-title", "children"),
        Output("restore-problem", "children"),
        Input("restore-what", "data"),
        Input("restore-cancel", "n_clicks"),
    )
    app.callback(
        Output("restore-dialog", "opened", allow_duplicate=True),
        Output("restore-problem", "children", allow_duplicate=True),
        Output("backup-look", "disabled", allow_duplicate=True),
        Input("restore-go", "n_clicks"),
        State("restore-what", "data"),
        State("restore-to", "value"),
        State("restore-position", "value"),
        State("restore-reason", "value"),
        prevent_initial_call=True,
    )(go)
