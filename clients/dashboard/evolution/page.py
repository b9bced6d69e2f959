"""Evolution: how the answers to all examples change, and each of them."""

from dataclasses import replace
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.evolution import (
    cards,
    categories,
    changed,
    data_map,
    examples,
    export_menu,
    filters,
    insights,
    no_run,
    pickers,
    saved,
)
from guessbook.clients.dashboard.example import story
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import asked_view

# What else there is to see of the examples that are listed: the tab's word in the URL, its label, and what is in it.
TABS = (
    ("categories", "By category", categories.layout),
    (data_map.WORD, "Data map", data_map.layout),
    (insights.WORD, "Insights", insights.layout),
)


def layout() -> Component:
    return html.Div(
        className="page-evolution",
        children=[
            html.Div(
                className="page-head",
                children=[html.H1("Evolution"), pickers.layout(), changed.layout(), export_menu.layout()],
            ),
            # The URL's query, for what shows it: set behind it, so that the list can go first.
            dcc.Store(id="view"),
            # What is asked for: {run, at, position, search}. Set when the run, the point in time, a filter or what is known changes; not by
            # the order of the list, nor by an example that is opened.
            dcc.Store(id="filtered"),
            # The same, for what stands behind a tab: set when that tab is open, so that a part nobody sees asks nothing.
            *(dcc.Store(id=f"{word}-asked") for word in (data_map.WORD, insights.WORD)),
            no_run.layout(),
            cards.state_cards(),
            html.Div(className="overview", children=[cards.states_card(), _tabs()]),
            html.Section(id="book", className="book", children=[examples.layout(), story.layout()]),
        ],
    )


def _tabs() -> Component:
    """A part asks for its data with Input("filtered", "data"), or, where that costs something, with that of its tab, as "map-asked". Not with
    Input("url", "search"): that changes with the order and with each example that is opened, and a browser asks six things at a time."""
    tabs: Component = dmc.Tabs(
        id="tab",
        className="card tabs",
        value=TABS[0][0],
        keepMounted=True,
        children=[
            dmc.TabsList([dmc.TabsTab(label, value=word) for word, label, _ in TABS]),
            *(dmc.TabsPanel(content(), value=word) for word, _, content in TABS),
        ],
    )
    return tabs


def register(app: Dash, queries: Queries) -> None:
    async def spread(asked: dict[str, Any] | None) -> tuple[Any, ...]:
        if not asked or not asked["run"]:
            raise PreventUpdate
        view = asked_view(asked)
        # What a part filters by is left out of what it counts. Without filters all three are one question.
        of_states, of_categories, of_changes = [
            await queries.summary(
                asked["run"], replace(view, **without), asked["position"], categories=categories.SHOWN
            )
            for without in ({"state": None}, {"state": None, "category": ""}, {"change": None})
        ]
        return (
            cards.state_numbers(of_states),
            *categories.bars(of_categories, view.category),
            *changed.counted(of_changes),
        )

    app.callback(
        Output({"type": "state-numbers", "word": ALL}, "children"),
        *categories.OUTPUTS,
        *changed.OUTPUTS,
        Input("filtered", "data"),
    )(spread)
    for word in (data_map.WORD, insights.WORD):
        of, told = Output(f"{word}-asked", "data"), State(f"{word}-asked", "data")
        in_browser(app, "askBehindTab", of, Input("filtered", "data"), Input("tab", "value"), told, at_start=True)
    in_browser(
        app,
        "pickTab",
        Output("url", "search", allow_duplicate=True),
        Input("tab", "value"),
        State("url", "search"),
    )
    for part in (no_run, pickers, cards, filters, data_map, insights):
        part.register(app, queries)
    for in_the_browser in (examples, categories, changed, saved, export_menu):
        in_the_browser.register(app)
