"""What can be written on a version."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import outcome, problem
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Version


def section(version: Version) -> list[Component]:
    """The note as it is; a click on the button opens the dialog with it (versions.js)."""
    edit: dict[str, Any] = {"data-note": version.name, "data-text": version.notes}
    return [
        html.Pre(visible(version.notes), id="version-notes", className="version-notes", dir="auto", tabIndex=0),
        html.Button("Edit the notes", className="link-button needs-right needs-now", **edit),
    ]


def dialog() -> Component:
    return html.Div(
        [
            dcc.Store(id="note-version"),
            dmc.Modal(
                id="note-dialog",
                centered=True,
                opened=False,
                size="lg",
                closeButtonProps={"aria-label": "Close"},
                title=html.Strong("Notes"),
                children=[
                    dmc.Textarea(
                        id="note-text", value="", autosize=True, minRows=6, maxRows=18, **{"aria-label": "Notes"}
                    ),
                    html.P(id="note-problem", className="guarded-problem", role="alert"),
                    html.Div(dmc.Button("Save", id="note-save"), className="confirm-buttons"),
                ],
            ),
        ]
    )


def register(app: Dash, queries: Queries) -> None:
    async def save(clicks: int | None, version: str | None, text: str | None) -> tuple[bool, str]:
        if not clicks or not version:
            raise PreventUpdate
        try:
            answer = await queries.book.note_version(version, text or "")
        except GuessbookError as error:
            return True, problem.told(error)
        set_props("outcome", {"children": outcome.done("Notes saved", answer.message)})
        return False, ""

    app.callback(
        Output("note-dialog", "opened"),
        Output("note-problem", "children"),
        Input("note-save", "n_clicks"),
        State("note-version", "data"),
        State("note-text", "value"),
        prevent_initial_call=True,
    )(save)
