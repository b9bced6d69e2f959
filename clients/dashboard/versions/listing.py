"""The versions as a list, newest first: what the tree draws, for keyboards, screen readers and narrow windows."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.versions.link import to_view
from guessbook.clients.dashboard.versions.tree import accuracy, model_name, short
from guessbook.proto.history_pb2 import Version

SHOWN = 200


def rows(versions: Sequence[Version], chosen: str, search: str | None) -> list[Component]:
    """One link each. `versions`: newest first; of very many, those that are not shown are in the tree."""
    shown: list[Component] = [html.Li(_row(version, version.name == chosen, search)) for version in versions[:SHOWN]]
    if len(versions) > SHOWN:
        shown.append(html.Li(f"{SHOWN} of {numbers.count(len(versions))} shown; the tree has all", className="dim"))
    return shown


def _row(version: Version, chosen: bool, search: str | None) -> Component:
    kind = "merge" if version.HasField("consolidation") else "trash" if version.deleted_at_us else "versions"
    told = [f"from {short_name(version.parent)}" if version.parent else f"from {model_name(version.base_model)}"]
    clock = Clock.here()
    told += [part for part in (accuracy(version), clock.moment(version.created_at_us)) if part]
    content = [
        html.Span(className=f"icon icon-{kind}"),
        html.Div(
            [
                html.Div([html.Strong(short(version)), *marks(version)], className="version-line"),
                html.Span(" · ".join(told), className="dim", title=f"Made {clock.exact(version.created_at_us)}"),
            ],
            className="version-text",
        ),
    ]
    gone = " deleted" if version.deleted_at_us else ""
    return to_view(
        content,
        search,
        chosen=chosen,
        className=f"version-row{gone}",
        version=version.name,
        with_=None,
        change=None,
        q=None,
        page=None,
    )


def marks(version: Version) -> list[Component]:
    """The words that set it apart, as badges."""
    words = (
        ("latest", "active", version.latest),
        ("merged", "", version.HasField("consolidation")),
        ("in the trash", "held", version.deleted_at_us and not version.purged),
        ("removed", "failed", version.purged),
    )
    return [html.Span(word, className=f"badge {colour}") for word, colour, fits in words if fits]


def short_name(name: str) -> str:
    """ "v002" of "v002_20251117_math_fixes"."""
    return name.partition("_")[0]
