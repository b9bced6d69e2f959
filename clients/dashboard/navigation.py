"""The way between the pages: the links on the left (below, in a narrow window), and what is trained now."""

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser

LINKS = (
    ("/", "Training", "icon-active"),
    ("/evolution", "Evolution", "icon-evolution"),
    ("/versions", "Versions", "icon-versions"),
    ("/audit", "Audit", "icon-audit"),
    ("/backups", "Backups", "icon-backups"),
)


def layout() -> Component:
    named: dict[str, Any] = {"aria-label": "Pages"}
    return html.Nav(
        className="navigation",
        children=[
            html.Div(className="pages", children=[_link(*each) for each in LINKS]),
            html.Div(
                id="now",
                className="now",
                children=[
                    html.Div(className="now-head", children=[html.Span("Training now"), html.Span(id="now-name")]),
                    dmc.Progress(id="now-bar", value=0, size="sm", **{"aria-label": "Progress of what is trained now"}),
                    html.Div(className="now-line", children=[html.Span(id="now-step"), html.Span(id="now-eta")]),
                    html.Div(className="now-line", children=[html.Span(id="now-loss")]),
                ],
            ),
        ],
        **named,
    )


def _link(path: str, label: str, icon: str) -> Component:
    return html.Div(
        id={"type": "page-link", "path": path},
        className="page-link",
        children=[
            dcc.Link(
                id={"type": "page-address", "path": path},
                href=path,
                children=[html.Span(className=f"icon {icon}"), html.Span(label)],
            )
        ],
    )


def register(app: Dash) -> None:
    """The run and the point in time go along from page to page; filters do not."""
    in_browser(
        app,
        "showLinks",
        Output({"type": "page-address", "path": ALL}, "href"),
        Output({"type": "page-link", "path": ALL}, "className"),
        Input("url", "pathname"),
        Input("place", "data"),
        State({"type": "page-link", "path": ALL}, "id"),
        at_start=True,
    )
