"""The page Versions: the tree, one version with its files and backups, and how it compares with another."""

from typing import Any

import dash_cytoscape as cyto
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.versions import comparison, details, kept, listing, notes, tree
from guessbook.clients.dashboard.versions.choice import Choice
from guessbook.clients.dashboard.view import at
from guessbook.clients.errors import GuessbookError
from guessbook.proto.history_pb2 import Version


def layout() -> Component:
    return html.Div(
        className="page-versions",
        children=[
            html.Div(
                className="page-head", children=[html.H1("Versions"), html.Span(id="versions-total", className="dim")]
            ),
            html.Div(
                id="versions-shown",
                className="versions",
                children=[
                    _none(),
                    html.Section(
                        className="card version-map",
                        children=[_tree(), html.Ul(id="version-list", className="version-list")],
                    ),
                    html.Section(id="version", className="card version"),
                    comparison.layout(),
                ],
            ),
            notes.dialog(),
        ],
    )


def _none() -> Component:
    return html.Div(
        className="empty",
        children=[
            html.Span(className="icon icon-versions big"),
            html.H2("No version yet"),
            html.P("The first completed job makes one. Datasets are queued on the page Training."),
        ],
    )


def _tree() -> Component:
    about: dict[str, Any] = {"aria-label": "Tree of the versions; the list beside it has the same ones", "role": "img"}
    drawing: Component = cyto.Cytoscape(
        id="version-tree",
        elements=[],
        stylesheet=[],
        layout={"name": "preset", "fit": False},
        style={"width": "100%", "height": "100%"},
        minZoom=0.4,
        maxZoom=1.6,
        # The wheel scrolls the page.
        userZoomingEnabled=False,
        autoungrabify=True,
        boxSelectionEnabled=False,
        responsive=False,
    )
    return html.Div(drawing, className="version-tree", **about)


def register(app: Dash, queries: Queries) -> None:
    notes.register(app, queries)
    _register_lists(app, queries)
    _register_details(app, queries)
    _register_comparison(app, queries)
    search, url = State("url", "search"), Output("url", "search", allow_duplicate=True)
    in_browser(app, "tapVersion", url, Input("version-tree", "tapNode"), search)
    asked = (Input("compare-with", "value"), Input("compare-search", "value"))
    in_browser(app, "compareWith", url, *asked, State("compared", "data"), search)
    # They also write the values of the controls. Declared as outputs, those would close a circle with the callback above.
    in_browser(app, "showCompared", Output("compare-title", "children"), Input("compared", "data"))
    in_browser(app, "showSearch", Output("compare-search", "className"), Input("url", "search"), at_start=True)
    in_browser(
        app,
        "drawTree",
        Output("version-tree", "stylesheet"),
        Input("version-tree", "elements"),
        Input("version-list", "children"),
        State("version-tree", "extent"),
    )


async def _listed(queries: Queries, choice: Choice) -> list[Version]:
    """Newest first, those in the trash too."""
    return list((await queries.book.versions(at(choice.at), deleted=True)).versions)


def _register_lists(app: Dash, queries: Queries) -> None:
    async def lists(search: str | None, _touched: Any) -> tuple[Any, ...]:
        choice = Choice.parse(search)
        versions = await _listed(queries, choice)
        chosen = choice.of(versions)
        rows = listing.rows(versions, chosen.name if chosen else "", search)
        state = "" if chosen else " unknown" if versions else " none"
        return f"versions{state}", counted(versions), rows, tree.elements(versions)

    app.callback(
        Output("versions-shown", "className"),
        Output("versions-total", "children"),
        Output("version-list", "children"),
        Output("version-tree", "elements"),
        Input("url", "search"),
        Input("versions-touched", "data"),
    )(lists)


def counted(versions: list[Version]) -> str:
    """ "12 versions, 2 of them in the trash"."""
    gone = sum(bool(version.deleted_at_us) for version in versions)
    told = f"{numbers.count(len(versions))} version{'s' * (len(versions) != 1)}" if versions else ""
    return f"{told}, {numbers.count(gone)} of them in the trash" if gone else told


def _register_details(app: Dash, queries: Queries) -> None:
    async def show(search: str | None, _versions: Any, _backups: Any) -> list[Component]:
        choice = Choice.parse(search)
        versions = await _listed(queries, choice)
        version = choice.of(versions)
        if version is None:
            return [
                html.P(
                    f"There is no version {choice.version}{' at this point' if choice.at else ''}. Choose one of the list."
                )
            ]
        backups = (await queries.book.backups(at(choice.at))).backups
        held = kept.holding(version, backups, await _purged_at(queries, version, choice))
        return details.section(version, held, search)

    app.callback(
        Output("version", "children"),
        Input("url", "search"),
        Input("versions-touched", "data"),
        Input("backups-touched", "data"),
    )(show)


async def _purged_at(queries: Queries, version: Version, choice: Choice) -> int | None:
    if not version.purged:
        return None
    subjects = [f"version/{version.name}"]
    answer = await queries.book.events(at(choice.at), types=["VersionPurged"], subjects=subjects, limit=1)
    return answer.events[0].position if answer.events else None


def _register_comparison(app: Dash, queries: Queries) -> None:
    async def compare(search: str | None, _touched: Any) -> tuple[Any, ...]:
        choice = Choice.parse(search)
        versions = await _listed(queries, choice)
        version = choice.of(versions)
        if version is None:
            return None, []
        other = choice.other_of(version, versions)
        before, after, title = comparison.stages(version, other, versions)
        try:
            answer = await queries.book.compare(
                before,
                after,
                at(choice.at),
                changes=choice.changes,
                search=choice.q,
                offset=(choice.page - 1) * comparison.PAGE,
                limit=comparison.PAGE,
            )
            shown = comparison.section(answer, choice, search)
        except GuessbookError as error:
            shown = [html.P(problem.told(error), className="job-note")]
        return {"with": other, "title": title, "options": comparison.options(version, versions)}, shown

    app.callback(
        Output("compared", "data"),
        Output("comparison", "children"),
        Input("url", "search"),
        Input("versions-touched", "data"),
    )(compare)
