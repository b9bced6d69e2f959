"""The versions that were made last: how much each gained, and the ways to look at it, compare it and make it the latest. Knows no file of theirs."""

from itertools import pairwise
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import guarded, numbers
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View, at
from guessbook.proto.history_pb2 import Version

MOST = 5
PAGE = "/versions"


def layout() -> Component:
    return html.Section(
        className="card recent-versions",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2("Recent versions"),
                    html.Span(id="versions-count", className="dim"),
                    html.Div(id="consolidate", className="right"),
                ],
            ),
            html.Div(id="recent-versions", className="recent-rows"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def recent(_touched: Any, _shown: Any, search: str) -> tuple[list[Component], str, list[Component]]:
        view = View.parse(search)
        versions = list((await queries.book.versions(at(view.at))).versions)
        now_us = (await queries.book.status(at(view.at))).now_us
        many = f"{min(MOST, len(versions))} of {numbers.count(len(versions))}" if versions else ""
        latest = next((one for one in versions if one.latest), None)
        merged = latest is None or latest.HasField("consolidation")
        consolidate = (
            [] if merged or latest is None else [guarded.button("consolidate", latest.name, "Consolidate", "merge")]
        )
        return version_rows(versions, now_us, view.at), many, consolidate

    app.callback(
        Output("recent-versions", "children"),
        Output("versions-count", "children"),
        Output("consolidate", "children"),
        Input("versions-touched", "data"),
        Input("run-shown", "data"),
        State("url", "search"),
    )(recent)


def version_rows(versions: list[Version], now_us: int, position: int | None) -> list[Component]:
    """Of the newest; `versions` has all of them, the newest first."""
    if not versions:
        return [html.P("None yet. Each job that is completed makes one.", className="dim")]
    before = {one.name: older.name for one, older in pairwise(versions)}
    return [_row(one, one.parent or before.get(one.name, ""), now_us, position) for one in versions[:MOST]]


def _row(version: Version, other: str, now_us: int, position: int | None) -> Component:
    links = [_link("View", href(PAGE, position, version=version.name))]
    if other:
        links.append(_link("Compare", href(PAGE, position, version=version.name, with_=other)))
    if not version.latest:
        links.append(guarded.button("rollback", version.name, "Activate"))
    return html.Div(
        key=version.name,
        className="recent-version",
        children=[
            html.Div(
                className="recent-name",
                children=[
                    html.Span(version.name, className="job-name", title=version.name),
                    *([html.Span("latest", className="badge active")] if version.latest else []),
                ],
            ),
            html.Span([Clock.here(now_us).shown(version.created_at_us), f" · {gain(version)}"], className="dim"),
            html.Div(links, className="recent-links"),
        ],
    )


def gain(version: Version) -> str:
    """Its accuracy before and after, as far as there were snapshots."""
    if version.HasField("consolidation"):
        return f"{version.consolidation.version} merged into its base"
    if version.final_accuracy < 0:
        return "without snapshots"
    if version.baseline_accuracy < 0:
        return f"{version.final_accuracy:.0%} right"
    return f"{version.baseline_accuracy:.0%} → {version.final_accuracy:.0%} right"


def _link(label: str, address: str) -> Component:
    link: Component = dcc.Link(label, href=address, className="link")
    return link
