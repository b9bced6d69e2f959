"""The list of examples: state, prompt, expected answer, latest guess, one mark a snapshot, loss. It holds only what it shows: rows come
from the server as they are scrolled to."""

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import SHOWN, shown
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import GuessbookError
from guessbook.proto.history_pb2 import Example

BLOCK = 100  # rows of one request
LONGEST_TEXT = 300  # characters of a cell
LONGEST_STRIP = 16  # snapshots in a row: the first, and the latest of the others
NO_ROWS: dict[str, Any] = {"rowData": [], "rowCount": 0}

COLUMNS: list[dict[str, Any]] = [
    {"field": "index", "headerName": "#", "width": 62, "cellClass": "index"},
    {"field": "state", "headerName": "State", "width": 124, "cellRenderer": "StateCell"},
    {"field": "prompt", "headerName": "Prompt", "flex": 5, "minWidth": 150, "cellRenderer": "TextCell"},
    {"field": "expected", "headerName": "Expected", "flex": 4, "minWidth": 130, "cellRenderer": "TextCell"},
    {"field": "guess", "headerName": "Latest guess", "flex": 4, "minWidth": 150, "cellRenderer": "GuessCell"},
    {"field": "strip", "headerName": "Snapshots", "width": 140, "cellRenderer": "StripCell"},
    {"field": "loss", "headerName": "Loss", "width": 132, "cellRenderer": "LossCell"},
]

SORTS = (
    ("index", "In file order"),
    ("-loss", "Highest loss first"),
    ("loss", "Lowest loss first"),
    ("learned", "Learned first"),
    ("change", "Changed most"),
    ("state", "By state"),
)


def layout() -> Component:
    return html.Div(className="card examples", children=[_tools(), _grid(), dcc.Store(id="filtered")])


def _tools() -> Component:
    states = [{"value": "", "label": "All states"}, *({"value": each.word, "label": each.label} for each in SHOWN)]
    return html.Div(
        className="card-head tools",
        children=[
            html.H2("Examples"),
            dmc.TextInput(
                id="search",
                placeholder="Search prompts, answers and guesses",
                leftSection=html.Span(className="icon icon-search"),
                size="xs",
                className="search",
                debounce=250,
                **{"aria-label": "Search prompts, answers and guesses"},
            ),
            _choice("state-filter", "State", states, "", 130),
            _choice("sort", "Order", [{"value": value, "label": label} for value, label in SORTS], "index", 160),
            html.Span(id="matching", className="dim matching", role="status"),
        ],
    )


def _choice(name: str, label: str, data: list[dict[str, str]], value: str, width: int) -> Component:
    choice: Component = dmc.Select(
        id=name, data=data, value=value, allowDeselect=False, size="xs", w=width, **{"aria-label": label}
    )
    return choice


def _grid() -> Component:
    grid: Component = dag.AgGrid(
        id="examples",
        # With the story beside it, the list fills the window.
        style={"height": "max(420px, calc(100vh - 135px))"},
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
            "blockLoadDebounceMillis": 40,
            "animateRows": False,
            "suppressCellFocus": True,
            "rowHeight": 38,
            "headerHeight": 36,
            "rowClassRules": {"open-row": {"function": "isOpen(params)"}},
            "localeText": {"noRowsToShow": "No example matches"},
        },
    )
    return grid


def register(app: Dash, queries: Queries) -> None:
    async def rows(
        request: dict[str, Any] | None, run: dict[str, Any] | None, search: str
    ) -> tuple[dict[str, Any], str]:
        if not request or not run or not run["run"]:
            return NO_ROWS, ""
        return await block(queries, run["run"], View.parse(search), request["startRow"], request["endRow"])

    app.callback(
        Output("examples", "getRowsResponse"),
        Output("matching", "children"),
        Input("examples", "getRowsRequest"),
        State("run-shown", "data"),
        State("url", "search"),
    )(rows)

    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    filters = (Input("search", "value"), Input("state-filter", "value"), Input("sort", "value"))
    in_browser(app, "filter", url, *filters, search)
    # It also writes the filters' values. Declared as outputs, they would close a circle with the callback above.
    in_browser(app, "showView", Output("book", "className"), Input("url", "search"), at_start=True)
    touched = Input("snapshots-touched", "data")
    in_browser(app, "gridReady", Output("examples", "className"), Input("examples", "id"), at_start=True)
    in_browser(app, "refreshRows", Output("filtered", "data"), Input("url", "search"), touched)
    in_browser(app, "openExample", url, Input("examples", "cellClicked"), search)


async def block(queries: Queries, run: str, view: View, first: int, end: int) -> tuple[dict[str, Any], str]:
    """The rows from `first` to before `end` for the grid, and how many match."""
    try:
        page = await queries.examples(run, view, first, end - first)
    except GuessbookError as error:
        # The grid asks nothing more until it has an answer.
        return NO_ROWS, problem.told(error)
    row_data = [row(example, page.snapshot_steps) for example in page.examples]
    return {"rowData": row_data, "rowCount": page.matching}, matching(page.matching, page.total)


def matching(many: int, total: int) -> str:
    return (
        f"{numbers.count(total)} examples"
        if many == total
        else f"{numbers.count(many)} of {numbers.count(total)} examples"
    )


def row(example: Example, snapshot_steps: Sequence[int]) -> dict[str, Any]:
    """One row of the grid. The strip has one state a snapshot, oldest first."""
    strip = [
        {"step": step, "word": shown(state).word, "label": shown(state).label}
        for step, state in zip(snapshot_steps, example.strip, strict=False)
    ]
    state = shown(example.state)
    return {
        "index": example.index,
        "state": {"word": state.word, "label": state.label},
        "prompt": cut(example.prompt),
        "expected": cut(example.expected),
        "guess": {"text": cut(example.latest.guess), "correct": example.latest.correct}
        if example.HasField("latest")
        else None,
        "strip": strip if len(strip) <= LONGEST_STRIP else [strip[0], *strip[1 - LONGEST_STRIP :]],
        "loss": {
            "latest": numbers.loss(example.latest.loss) if example.HasField("latest") else "",
            "line": [round(loss, 3) for loss in example.losses],
        },
    }


def cut(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "…"
