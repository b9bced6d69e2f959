"""The read-only link: who opens it sees the page as it is, and can change nothing."""

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.browser import in_browser

NO_LINK = "There is no read-only link here: this dashboard knows one token alone, that of $GUESSBOOK_TOKEN."


def button() -> Component:
    named: dict[str, Any] = {"aria-label": "Share"}
    return html.Button(
        html.Span(className="icon icon-link"),
        id="share",
        className="icon-button needs-right" if role.may_steer() else "icon-button hidden",
        title="Share: a link to this view that can change nothing",
        **named,
    )


def dialog() -> Component:
    told: Component = dmc.Modal(
        id="share-dialog",
        centered=True,
        closeButtonProps={"aria-label": "Close"},
        opened=False,
        title=html.Strong("Read-only link to this view"),
        children=[
            dmc.TextInput(id="share-link", readOnly=True, value="", **{"aria-label": "Read-only link"}),
            html.P(
                "Who opens it sees what you see, live, and can change nothing. It opens where this page opens: on this machine, through a "
                "tunnel to it, or under the name of a reverse proxy. To make it invalid, delete dashboard.guest.token in the data folder and "
                "restart the dashboard.",
                className="dim",
            ),
            html.Div(
                className="confirm-buttons",
                children=[
                    html.Span(id="share-copied", role="status", className="dim"),
                    dmc.Button("Copy", id="share-copy"),
                ],
            ),
        ],
    )
    return told


def register(app: Dash, guest_token: str) -> None:
    """`guest_token`: empty where there is none."""

    async def link(clicks: int | None, href: str) -> tuple[bool, str, str]:
        if not clicks or not role.may_steer():
            raise PreventUpdate
        return True, shared(href, guest_token) if guest_token else NO_LINK, ""

    app.callback(
        Output("share-dialog", "opened"),
        Output("share-link", "value"),
        Output("share-copied", "children"),
        Input("share", "n_clicks"),
        State("url", "href"),
        prevent_initial_call=True,
    )(link)
    in_browser(
        app,
        "copyShared",
        Output("share-copied", "children", allow_duplicate=True),
        Input("share-copy", "n_clicks"),
        State("share-link", "value"),
    )


def shared(href: str, token: str) -> str:
    """The same view for who has only this link."""
    at = urlsplit(href)
    query = urlencode({"token": token}) + (f"&{at.query}" if at.query else "")
    return urlunsplit((at.scheme, at.netloc, at.path, query, ""))
