"""The list of examples: state, prompt, expected answer, latest guess, one mark a snapshot, loss. It holds only what it shows: rows come
from the server as they are scrolled to."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import dash_ag_grid as dag
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import numbers, problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.evolution import filters
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import shown
from guessbook.clients.dashboard.view import View, asked_view
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Example

BLOCK = 100  # rows of one request
LONGEST_TEXT = 300  # characters of a cell
LONGEST_STRIP = 16  # snapshots in a row: the first, and the latest of the others
ROW_PX, HEADER_PX = 38, 36
NO_ROWS: dict[str, Any] = {"rowData": [], "rowCount": 0}

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
            dcc.Store(id="refreshed"),
            dcc.Store(id="requested"),
            dcc.Store(id="answered"),
            dcc.Store(id="checked"),
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
            "cacheBlockSize": BLOCK,
            "maxBlocksInCache": 30,
            # The wrapper keeps one request: with two at a time, rows stay blank.
            "maxConcurrentDatasourceRequests": 1,
            "blockLoadDebounceMillis": 10,
            "animateRows": False,
            "rowHeight": ROW_PX,
            "headerHeight": HEADER_PX,
            "rowClassRules": {"open-row": {"function": "isOpen(params)"}},
            "localeText": {"noRowsToShow": "No example matches. Take a filter away to see more."},
        },
    )
    return grid


def register(app: Dash, queries: Queries) -> None:
    async def rows(
        request: dict[str, Any] | None, asked: dict[str, Any] | None, search: str
    ) -> tuple[dict[str, Any], dict[str, Any], str]:
        if not request:
            raise PreventUpdate
        if not asked or not asked["run"]:
            # The grid asks nothing more until it has an answer; as soon as it is known what to list, it asks again.
            return NO_ROWS, {"many": 0, "run": "", "at": None, "search": search}, ""
        view = asked_view(asked, search)
        found, many, told = await block(queries, asked["run"], view, request["startRow"], request["endRow"])
        return found, {"many": many, "run": asked["run"], "at": asked["at"], "search": search}, told

    app.callback(
        Output("examples", "getRowsResponse"),
        Output("answered", "data"),
        Output("matching", "children"),
        Input("examples", "getRowsRequest"),
        State("filtered", "data"),
        State("url", "search"),
    )(rows)
    in_browser(app, "rowsRequested", Output("requested", "data"), Input("examples", "getRowsRequest"))
    in_browser(app, "checkRows", Output("checked", "data"), Input("answered", "data"))
    # It also writes the filters' values. Declared as outputs, they would close a circle with the callbacks that read them.
    in_browser(app, "showView", Output("book", "className"), Input("url", "search"), at_start=True)
    in_browser(app, "gridReady", Output("examples", "className"), Input("examples", "id"), at_start=True)
    in_browser(
        app,
        "refreshRows",
        Output("refreshed", "data"),
        Input("url", "search"),
        Input("filtered", "data"),
        Input("category-filter", "style"),
        at_start=True,
    )
    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    in_browser(app, "openExample", url, Input("examples", "cellClicked"), search)


async def block(queries: Queries, run: str, view: View, first: int, end: int) -> tuple[dict[str, Any], int, str]:
    """The rows from `first` to before `end` for the grid, how many match, and that as a sentence."""
    try:
        page = await queries.examples(run, view, first, min(end - first, BLOCK))
    except GuessbookError as error:
        return NO_ROWS, 0, problem.told(error)
    row_data = [row(example, page.snapshot_steps) for example in page.examples]
    return {"rowData": row_data, "rowCount": page.matching}, page.matching, matching(page.matching, page.total)


def matching(many: int, total: int) -> str:
    return (
        f"{numbers.count(total)} examples"
        if many == total
        else f"{numbers.count(many)} of {numbers.count(total)} examples"
    )


def row(example: Example, snapshot_steps: Sequence[int]) -> dict[str, Any]:
    """One row of the grid. The strip has one state a snapshot, oldest first; `left_out`: so many behind its first."""
    strip = [
        {"step": step, "word": shown(state).word, "label": shown(state).label}
        for step, state in zip(snapshot_steps, example.strip, strict=False)
    ]
    left_out = max(len(strip) - LONGEST_STRIP, 0)
    state = shown(example.state)
    seen = example.HasField("latest")
    return {
        "index": example.index,
        "state": {"word": state.word, "label": state.label},
        "prompt": cut(example.prompt),
        "expected": cut(example.expected),
        "guess": {"text": cut(example.latest.guess), "correct": example.latest.correct} if seen else None,
        "category": cut(example.category),
        "strip": {"marks": strip[:1] + strip[1 + left_out :], "left_out": left_out},
        "loss": {
            "latest": numbers.loss(example.latest.loss) if seen else "",
            "line": [None if isnan(loss) else round(loss, 3) for loss in example.losses],
        },
        **measures(example),
    }


def measures(example: Example) -> dict[str, str]:
    """What the list can be in the order of, as a cell says it; "–" where there is nothing to say."""
    losses = [loss for loss in example.losses if not isnan(loss)]
    change = losses[-1] - losses[0] if losses else 0.0
    return {
        "change": f"{'+' if change > 0 else numbers.MINUS if change < 0 else '±'}{abs(change):.2f}" if losses else "–",
        "learned": f"step {numbers.count(example.learned_step)}" if example.HasField("learned_step") else "–",
        "regressed": f"step {numbers.count(example.regressed_step)}" if example.HasField("regressed_step") else "–",
        "presentations": numbers.count(example.presentations_to_learn)
        if example.HasField("presentations_to_learn")
        else "–",
        "forgetting": f"{numbers.count(example.forgetting_events)} ×" if example.forgetting_events else "–",
        "confidence": f"{example.map_confidence:.2f}",
        "variability": f"{example.map_variability:.2f}",
    }


def cut(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "…"
