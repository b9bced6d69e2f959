"""The bar on top: where one is, at which point in time, how the line to the server is. Moves the page through time."""

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

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
            dmc.Select(
                id="moment",
                data=[{"value": "", "label": "Now"}],
                value="",
                allowDeselect=False,
                size="xs",
                w=150,
                leftSection=html.Span(className="icon icon-clock"),
                **{"aria-label": "Show the book as it was at a snapshot"},
            ),
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


def past_bar() -> Component:
    """Shown while the page is in the past."""
    return html.Div(
        id="past",
        className="past-bar",
        children=[
            html.Span(id="past-text"),
            html.Button("Return to live", id="to-live", className="link-button"),
        ],
    )


def register(app: Dash) -> None:
    search = Output("url", "search", allow_duplicate=True)
    in_browser(app, "start", Output("live", "data"), Input("url", "pathname"), at_start=True)
    in_browser(app, "toLive", search, Input("to-live", "n_clicks"), State("url", "search"))
    in_browser(app, "travel", search, Input("moment", "value"), State("url", "search"))
