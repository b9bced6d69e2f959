"""Which run, which of its snapshots, and which one that is compared with."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Run

LISTED = 300  # runs, the newest


def layout() -> Component:
    return html.Div(
        className="pickers",
        children=[
            dcc.Store(id="snapshot-steps"),
            _pick("run-pick", "Run", 250, searchable=True, nothingFoundMessage="No run is called so"),
            _pick("step-pick", "Snapshot", 168),
            html.Span("vs", className="dim"),
            _pick("vs-pick", "Compared with the snapshot", 168),
        ],
    )


def _pick(name: str, label: str, width: int, **more: Any) -> Component:
    pick: Component = dmc.Select(
        id=name,
        className=f"pick {name}",
        data=[],
        allowDeselect=False,
        size="xs",
        w=width,
        maxDropdownHeight=320,
        **{"aria-label": label},
        **more,
    )
    return pick


def register(app: Dash, queries: Queries) -> None:
    async def runs(shown: dict[str, Any] | None, _jobs: Any) -> tuple[list[dict[str, Any]], str]:
        if not shown or not shown["run"]:
            raise PreventUpdate
        return choices((await queries.runs(shown["at"])).runs, shown["run"]), shown["run"]

    async def steps(touched: dict[str, Any] | None) -> list[int]:
        if not touched or not touched["run"]:
            raise PreventUpdate
        return [snapshot.step for snapshot in (await queries.run(touched["run"], touched["at"])).snapshots]

    app.callback(
        Output("run-pick", "data"),
        Output("run-pick", "value"),
        Input("run-shown", "data"),
        Input("jobs-touched", "data"),
    )(runs)
    app.callback(Output("snapshot-steps", "data"), Input("snapshots-touched", "data"))(steps)
    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    in_browser(app, "pickRun", url, Input("run-pick", "value"), State("run-shown", "data"), search)
    in_browser(app, "pickSnapshot", url, Input("step-pick", "value"), Input("vs-pick", "value"), search)
    # It also writes the values. Declared as outputs, they would close a circle with the callback above.
    in_browser(
        app,
        "showSnapshots",
        Output("step-pick", "data"),
        Output("vs-pick", "data"),
        Input("snapshot-steps", "data"),
        Input("view", "data"),
        at_start=True,
    )


def choices(runs: Sequence[Run], shown: str) -> list[dict[str, Any]]:
    """The newest runs, each dataset's together, and the one that is shown."""
    listed = list(runs[:LISTED]) + [run for run in runs[LISTED:] if run.id == shown]
    groups: dict[str, list[dict[str, Any]]] = {}
    names = Counter(name for name, _ in {(run.name, run.dataset) for run in listed})
    for run in listed:
        # Two files of one name are told apart by their content.
        group = visible(run.name) if names[run.name] == 1 else f"{visible(run.name)} ({run.dataset[:8]})"
        label = f"{visible(run.name)} · {run.id} · {numbers.count(run.examples)} examples"
        groups.setdefault(group, []).append({"value": run.id, "label": label})
    data: list[dict[str, Any]] = [{"group": group, "items": items} for group, items in groups.items()]
    if len(listed) < len(runs):
        left = {"value": "", "label": f"{len(listed)} of {numbers.count(len(runs))} runs, the newest", "disabled": True}
        data.append({"group": "Older ones by their address", "items": [left]})
    return data
