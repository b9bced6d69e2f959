"""The frame around every page, and which page stands in it. Knows the pages' layouts, no data."""

from collections.abc import Callable

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import commands, guarded, header, navigation, problem, role, share, timebar
from guessbook.clients.dashboard.audit import page as audit
from guessbook.clients.dashboard.backups import page as backups
from guessbook.clients.dashboard.evolution import page as evolution
from guessbook.clients.dashboard.example import page as example
from guessbook.clients.dashboard.training import page as training
from guessbook.clients.dashboard.versions import page as versions

THEME = {
    "primaryColor": "indigo",
    "primaryShade": 8,  # the style sheet's accent: white can be read on it
    "fontFamily": "Inter, system-ui, sans-serif",
    "fontFamilyMonospace": "'JetBrains Mono', ui-monospace, monospace",
    "defaultRadius": "md",
    "headings": {"fontWeight": "600"},
}
PAGES: dict[str, Callable[[], Component]] = {
    "/": training.layout,
    "/evolution": evolution.layout,
    "/example": example.layout,
    "/versions": versions.layout,
    "/audit": audit.layout,
    "/backups": backups.layout,
}


def layout() -> Component:
    """Made anew for each load of the page: what a guest can't do, isn't shown."""
    page: Component = dmc.MantineProvider(
        theme=THEME,
        defaultColorScheme="auto",
        children=[
            dcc.Location(id="url", refresh=False),
            *_stores(),
            html.A("To the content", href="#page", className="skip-link"),
            header.layout(),
            html.Div(
                className="frame" if role.may_steer() else "frame is-guest",
                children=[
                    navigation.layout(),
                    html.Div(
                        className="beside",
                        children=[
                            timebar.layout(),
                            html.Main(
                                id="page",
                                className="page waiting",
                                tabIndex=-1,
                                children=[problem.layout(), html.Div(id="content", className="content")],
                            ),
                        ],
                    ),
                ],
            ),
            commands.dialog(),
            guarded.dialog(),
            share.dialog(),
        ],
    )
    return page


def _stores() -> list[Component]:
    """`live` is what the socket brings. A topic's store holds {run, at, position} and is set again when the topic is touched, so that a
    part of a page asks the server only when what it shows has changed. `run-shown`: the page is about another run, or another point in time.
    `place`: what the URL says of run and point in time alone, so that whoever needs no more is not asked again for each filter."""
    names = ("live", "place", "run", "run-shown", *(f"{topic}-touched" for topic in TOPICS))
    return [dcc.Store(id=name) for name in names]


TOPICS = ("jobs", "versions", "backups", "steps", "snapshots", "example", "events")


def register(app: Dash) -> None:
    async def content(path: str | None) -> Component:
        found = PAGES.get(path or "/")
        return found() if found else _lost()

    app.callback(Output("content", "children"), Input("url", "pathname"))(content)


def _lost() -> Component:
    return html.Div(
        className="empty shown",
        children=[html.H1("There is no such page"), html.P(dcc.Link("To the current run", href="/", className="link"))],
    )
