"""The dialog that makes a file a job: choose it, look at what is in it and how the model reads it, say how to train, submit.

Knows in which order that happens. A file is uploaded first (upload.py), or named by its path on this machine.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from google.protobuf.json_format import MessageToDict, ParseDict

from guessbook.clients.dashboard import outcome, problem, role
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.training import submit_form, submit_preview, upload
from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.clients.preview import preview_async
from guessbook.proto.control_pb2 import SubmitJobResponse
from guessbook.proto.events_pb2 import Priority, TrainingConfig
from guessbook.store.home import Home


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
            dcc.Store(id="submit-config"),
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


def register(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
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
        Input("submit-path", "n_submit"),
        Input("submit-path", "value"),
        State("submit-source", "data"),
    )
    in_browser(app, "showUpload", Output("upload-progress", "children"), Input("submit-source", "data"))
    in_browser(
        app,
        "forgetFile",
        Output("submit-source", "data", allow_duplicate=True),
        Output("submit-path", "value"),
        Input("submit", "opened"),
    )
    in_browser(
        app,
        "maySubmit",
        Output("submit-go", "disabled"),
        Input("submit-source", "data"),
        Input("submit-count", "data"),
        Input("submit-skip_bad_lines", "checked"),
    )
    _register_look(app, queries, uploads)
    _register_tokens(app, queries, uploads)
    _register_submit(app, queries, uploads)


def _register_look(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    async def look(source: dict[str, Any] | None) -> tuple[Any, ...]:
        if not source:
            return [], "", None, None, "", no_update, False
        try:
            with _reading(source, uploads) as (path, name):
                answer = await queries.book.submit(path, name=name, dry_run=True)
            jobs = (await queries.jobs(None)).jobs
        except GuessbookError as error:
            return [], no_update, None, None, problem.told(error), no_update, False
        # The button is for the file that was counted alone, not for one that was chosen since.
        count = {"at": source["at"], "examples": answer.examples, "bad_lines": answer.error_count}
        config = MessageToDict(answer.config)
        after = submit_form.after_choices(list(jobs))
        return submit_preview.found(answer), name, count, config, "", after, not answer.config.base_model

    app.callback(
        Output("submit-found", "children"),
        Output("submit-name", "value"),
        Output("submit-count", "data"),
        Output("submit-config", "data"),
        Output("submit-problem", "children"),
        Output("submit-after", "data"),
        Output("submit-base_model", "required"),
        Input("submit-source", "data"),
        running=[(Output("submit-look", "loading"), True, False)],
        prevent_initial_call=True,
    )(look)


def _register_tokens(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    one_at_a_time = asyncio.Semaphore()  # each is a process of its own, with the tokenizers in it

    async def tokens(
        found: dict[str, Any] | None, _left: Any, base_model: str | None, source: dict[str, Any] | None
    ) -> list[Component]:
        if found is None or not source:
            return []
        config = chosen_config(found, base_model)
        if not config.base_model:
            return []
        try:
            with _reading(source, uploads) as (path, _):
                home = Home(Path((await queries.status(None)).home))
                async with one_at_a_time:
                    answer = await preview_async(path, config, home=home)
            return submit_preview.rendered(answer)
        except GuessbookError as error:
            return submit_preview.missing(problem.told(error))

    app.callback(
        Output("submit-rows", "children"),
        Input("submit-config", "data"),
        Input("submit-base_model", "n_blur"),
        State("submit-base_model", "value"),
        State("submit-source", "data"),
        running=[(Output("submit-rows", "className"), "submit-rows rendering", "submit-rows")],
        prevent_initial_call=True,
    )(tokens)


def _register_submit(app: Dash, queries: Queries, uploads: upload.Uploads) -> None:
    fields = (*submit_form.VALUES, *submit_form.CHECKED)

    async def submit(_clicks: int | None, source: dict[str, Any] | None, *given: Any) -> tuple[Any, ...]:
        if not source:
            raise PreventUpdate
        try:
            with _reading(source, uploads) as (path, name):
                answer = await _submit(queries, path, name, dict(zip(fields, given, strict=True)))
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


@contextmanager
def _reading(source: Mapping[str, Any], uploads: upload.Uploads) -> Iterator[tuple[Path, str]]:
    """Where the file lies, for as long as it is read, and its name. Raises Forbidden, Invalid."""
    role.require_steering()
    try:
        if "upload" in source:
            with uploads.reading(source["upload"]) as path:
                yield path, source["name"]
        else:
            path = typed_path(source["path"])
            yield path, path.name
    except OSError as error:
        raise Invalid(f"the file can't be read: {error}", "Choose it again, or one that may be read.") from error


def typed_path(text: str) -> Path:
    """Raises Invalid."""
    try:
        path = Path(text.strip()).expanduser()
    except RuntimeError as error:  # ~ of nobody
        raise Invalid(f"{text} can't be used: {error}", "Give a whole path, one that begins with /.") from error
    if not path.is_absolute():
        raise Invalid(f"{text} is not a whole path", "Give one that begins with / or with ~.")
    return path


def chosen_config(found: dict[str, Any], base_model: str | None) -> TrainingConfig:
    """What a dry run said a job would have, with the base model that the form names, if it names one."""
    config = ParseDict(found, TrainingConfig())
    if chosen := (base_model or "").strip():
        config.base_model = chosen
    return config
