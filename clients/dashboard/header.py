"""The bar on top: where one is, how the line to the server is, light or dark."""

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import role, share
from guessbook.clients.dashboard.browser import in_browser


def layout() -> Component:
    return html.Header(
        className="header",
        children=[
            dcc.Link(
                href="/",
                className="brand",
                title="To the current run",
                children=[html.Span(className="logo"), "Guessbook"],
            ),
            html.Span(id="crumb", className="crumb"),
            html.Span("read-only", className="badge") if not role.may_steer() else None,
            html.Div(
                id="line",
                className="line connecting",
                role="status",
                children=[
                    html.Span(className="dot"),
                    html.Span("Connecting", id="line-word"),
                    html.Span(id="line-age"),
                ],
            ),
            share.button(),
            dmc.ColorSchemeToggle(
                id="scheme",
                lightIcon=html.Span(className="icon icon-sun"),
                darkIcon=html.Span(className="icon icon-moon"),
                variant="subtle",
                color="gray",
                **{"aria-label": "Light or dark"},
            ),
        ],
    )


def register(app: Dash) -> None:
    in_browser(app, "start", Output("live", "data"), Input("url", "pathname"), at_start=True)
