"""The list of examples: state, prompt, expected answer, latest guess, one mark a snapshot, loss. It holds only what it shows: rows come
from the server as they are scrolled to."""

from typing import Any

import dash_ag_grid as dag
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.evolution import filters, rows

ROW_PX, HEADER_PX = 38, 36

COLUMNS: list[dict[str, Any]] = [
    {"field": "index", "headerName": "#", "width": 74, "cellClass": "index", "headerComponent": "SortHeader"},
    {
        "field": "state",
        "headerName": "State",
        "width": 124,
        "cellRenderer": "StateCell",
        "headerComponent": "SortHeader",
    },
    {"field": "prompt", "headerName": "Prompt", "flex": 6, "minWidth": 200, "cellRenderer": "TextCell"},
    {"field": "expected", "headerName": "Expected", "flex": 3, "minWidth": 130, "cellRenderer": "TextCell"},
    {"field": "guess", "headerName": "Latest guess", "flex": 3, "minWidth": 150, "cellRenderer": "GuessCell"},
    {"field": "category", "headerName": "Category", "width": 118, "cellRenderer": "TextCell", "hide": True},
    {"field": "strip", "headerName": "Snapshots", "width": 150, "cellRenderer": "StripCell"},
    {"field": "loss", "headerName": "Loss", "width": 112, "cellRenderer": "LossCell", "headerComponent": "SortHeader"},
    # What the list is in the order of, where no other column tells.
    *(
        {"field": field, "headerName": name, "width": 112, "hide": True, "headerComponent": "SortHeader"}
        for field, name in (
            ("change", "Loss changed"),
            ("learned", "Learned at"),
            ("presentations", "Times trained"),
            ("regressed", "Regressed at"),
            ("forgetting", "Forgotten"),
            ("confidence", "Confidence"),
            ("variability", "Variability"),
        )
    ),
]


def layout() -> Component:
    return html.Div(
        className="card examples",
        children=[
            filters.tools(),
            filters.chips(),
            _grid(),
        ],
    )


def _grid() -> Component:
    grid: Component = dag.AgGrid(
        id="examples",
        # With the story beside it, the list fills the window; a short one ends after its last row (examples.js tells how many it has).
        style={
            "height": f"min(max(420px, 100vh - 135px), {HEADER_PX + 2}px + {ROW_PX}px * max(3, var(--rows, 10000)))"
        },
        columnDefs=COLUMNS,
        defaultColDef={"resizable": True, "sortable": False, "suppressMovable": True},
        rowModelType="infinite",
        getRowId="'' + params.data.index",
        dashGridOptions={
            "theme": {"function": "bookTheme(themeQuartz)"},
            "cacheBlockSize": rows.BLOCK,
            "maxBlocksInCache": 30,
            # No limit: the grid goes on counting a question whose list was replaced before its answer, and at its limit asks nothing any more.
            "maxConcurrentDatasourceRequests": -1,
            "blockLoadDebounceMillis": 0,
            "animateRows": False,
            "rowHeight": ROW_PX,
            "headerHeight": HEADER_PX,
            "rowClassRules": {"open-row": {"function": "isOpen(params)"}},
            "localeText": {"noRowsToShow": "No example matches. Take a filter away to see more."},
        },
    )
    return grid


def register(app: Dash) -> None:
    in_browser(app, "gridReady", Output("examples", "className"), Input("examples", "id"), at_start=True)
    # Asks for the rows, and sets the stores when they are there: they come first. Dash itself has nothing to set.
    in_browser(
        app,
        "listExamples",
        Output("filtered", "data"),
        Input("url", "search"),
        Input("snapshots-touched", "data"),
        Input("category-filter", "style"),
        at_start=True,
    )
    # It also writes the filters' values. Declared as outputs, they would close a circle with the callbacks that read them.
    in_browser(app, "showView", Input("view", "data"), at_start=True)
    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    in_browser(app, "openExample", url, Input("examples", "cellClicked"), search)
