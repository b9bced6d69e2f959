"""The dialog that makes a file a job: choose it, look at what is in it and how the model reads it, say how to train, submit.

Knows in which order that happens. A file is uploaded first (upload.py), or named by its path on this machine.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import outcome, problem, role
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import submit_form, submit_preview, upload
from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.clients.preview import preview_async
from guessbook.projections.base_models import reference
from guessbook.proto.control_pb2 import SubmitJobResponse
from guessbook.proto.events_pb2 import Priority, TrainingConfig
from guessbook.store.home import Home

NOT_YOURS = "With a read-only link nothing can be submitted."


def button(place: str) -> Component:
    """Opens the dialog. `place`: where on the page it stands."""
    made: Component = dmc.Button(
        "Submit a dataset",
        id={"type": "open-submit", "at": place},
        leftSection=html.Span(className="icon icon-upload"),
        className="needs-right needs-now",
    )
    return made


def dialog() -> Component:
    made: Component = dmc.Modal(
        id="submit",
        opened=False,
        size="xl",
        closeOnClickOutside=False,
        closeButtonProps={"aria-label": "Close"},
        title=html.Strong("Submit a dataset"),
        children=[
            dcc.Store(id="submit-source"),
            dcc.Store(id="submit-count"),
            html.Div(className="submit-sources", children=[_drop_zone(), _path()]),
            html.P(id="submit-problem", className="submit-problem", role="alert"),
            html.Div(id="submit-found", className="submit-found", role="status"),
            html.Div(id="submit-rows", className="submit-rows"),
            submit_form.layout(),
            html.Div(
                className="confirm-buttons",
                children=[
                    dmc.Button("Cancel", id="submit-cancel", variant="default"),
                    dmc.Button("Submit", id="submit-go", disabled=True),
                ],
            ),
        ],
    )
    return made


def _drop_zone() -> Component:
    return html.Div(
        id="drop-zone",
        className="drop-zone",
        children=[
            html.Button(
                [html.Span(className="icon icon-upload"), "Choose a file"], id="choose-file", className="link-button"
            ),
            html.Span("or drop it here: JSONL, one example a line", className="dim"),
            html.Span(id="upload-progress", className="upload-progress", role="status"),
        ],
    )


def _path() -> Component:
    return html.Div(
        className="submit-path",
        children=[
            dmc.TextInput(
                id="submit-path", label="Or its path on this machine", placeholder="/data/facts.jsonl", value=""
            ),
            dmc.Button("Look at it", id="submit-look", variant="default"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    uploads = upload.Uploads()
    server: Any = app.server  # FastAPI; Dash's types know Flask alone
    upload.register(server, uploads)
    opened = Output("submit", "opened", allow_duplicate=True)
    in_browser(app, "openSubmit", Output("submit", "opened"), Input({"type": "open-submit", "at": ALL}, "n_clicks"))
    in_browser(app, "closeSubmit", opened, Input("submit-cancel", "n_clicks"))
    in_browser(
        app,
        "submitPath",
        Output("submit-source", "data"),
        Input("submit-look", "n_clicks"),
        State("submit-path", "value"),
    )
    in_browser(
        app,
        "maySubmit",
        Output("submit-go", "disabled"),
        Input("submit-count", "data"),
        Input("submit-skip_bad_lines", "checked"),
    )
    _register_look(app, queries, uploads)
    _register_tokens(app, queries, uploads)
    _register_submit(app, queries, uploads)


def _register_look(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    async def look(source: dict[str, str] | None) -> tuple[Any, ...]:
        if not source:
            raise PreventUpdate
        try:
            path, name = _file(source, uploads)
            answer = await queries.book.submit(path, name=name, dry_run=True)
            jobs = (await queries.jobs(None)).jobs
        except GuessbookError as error:
            return [], no_update, None, problem.told(error), no_update
        count = {"examples": answer.examples, "bad_lines": answer.error_count}
        return submit_preview.found(answer), name, count, "", submit_form.after_choices(list(jobs))

    app.callback(
        Output("submit-found", "children"),
        Output("submit-name", "value"),
        Output("submit-count", "data"),
        Output("submit-problem", "children"),
        Output("submit-after", "data"),
        Input("submit-source", "data"),
        running=[(Output("submit-look", "loading"), True, False)],
        prevent_initial_call=True,
    )(look)


def _register_tokens(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    one_at_a_time = asyncio.Semaphore()  # each is a process of its own, with the tokenizers in it

    async def tokens(source: dict[str, str] | None, _left: Any, base_model: str | None) -> list[Component]:
        if not source:
            raise PreventUpdate
        try:
            path, _ = _file(source, uploads)
            config = TrainingConfig(base_model=(base_model or "").strip() or await _base_model(queries))
            home = Home(Path((await queries.status(None)).home))
            async with one_at_a_time:
                return submit_preview.rendered(await preview_async(path, config, home=home))
        except GuessbookError as error:
            return submit_preview.missing(problem.told(error))

    app.callback(
        Output("submit-rows", "children"),
        Input("submit-source", "data"),
        Input("submit-base_model", "n_blur"),
        State("submit-base_model", "value"),
        running=[(Output("submit-rows", "className"), "submit-rows rendering", "submit-rows")],
        prevent_initial_call=True,
    )(tokens)


def _register_submit(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    fields = (*submit_form.VALUES, *submit_form.CHECKED)

    async def submit(_clicks: int | None, source: dict[str, str] | None, *given: Any) -> tuple[Any, ...]:
        if not source:
            raise PreventUpdate
        try:
            answer = await _submit(queries, *_file(source, uploads), dict(zip(fields, given, strict=True)))
        except GuessbookError as error:
            return no_update, problem.told(error)
        if answer.rejected:
            return no_update, answer.report
        set_props("outcome", {"children": outcome.done("Submitted", answer.report)})
        return False, ""

    app.callback(
        Output("submit", "opened", allow_duplicate=True),
        Output("submit-problem", "children", allow_duplicate=True),
        Input("submit-go", "n_clicks"),
        State("submit-source", "data"),
        *(State(f"submit-{name}", "value") for name in submit_form.VALUES),
        *(State(f"submit-{name}", "checked") for name in submit_form.CHECKED),
        running=[(Output("submit-go", "loading"), True, False)],
        prevent_initial_call=True,
    )(submit)


async def _submit(queries: Queries, path: Path, name: str, values: Mapping[str, Any]) -> SubmitJobResponse:
    return await queries.book.submit(
        path,
        name=(values["name"] or "").strip() or name,
        priority=Priority.Value(f"PRIORITY_{values['priority'].upper()}"),
        config=submit_form.config(values),
        skip_bad_lines=bool(values["skip_bad_lines"]),
        after=values["after"] or (),
        preempt=bool(values["preempt"]),
    )


def _file(source: Mapping[str, str], uploads: upload.Uploads) -> tuple[Path, str]:
    """Where it lies, and its name. Raises Invalid."""
    if not role.may_steer():
        raise Invalid(NOT_YOURS, "Ask whoever runs this dashboard.")
    if "upload" in source:
        return uploads.path(source["upload"]), source["name"]
    path = Path(source["path"].strip()).expanduser()
    if not path.is_absolute():
        raise Invalid(f"{source['path']} is not a whole path", "Give one that begins with / or with ~.")
    return path, path.name


async def _base_model(queries: Queries) -> str:
    """What a job trains that names none, as far as a client can tell: the registered one in use, else that of the last job. Empty: unknown."""
    used = [model for model in (await queries.book.base_models()).base_models if model.used]
    if used:
        return reference(used[0])
    runs = (await queries.runs(None)).runs
    return runs[0].base_model or runs[0].config.base_model if runs else ""
