"""What became of the examples since the snapshot that is compared with: how many were fixed, how many broken. Each filters the list."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.view import CHANGES
from guessbook.proto.history_pb2 import SummariseExamplesResponse

SHOWN = (
    ("fixed", "Fixed", "Wrong at the snapshot that is compared with, right now."),
    ("broken", "Broken", "Right at the snapshot that is compared with, wrong now."),
)

OUTPUTS = (Output({"type": "change-count", "word": ALL}, "children"), Output("changes", "className"))


def layout() -> Component:
    return html.Div(id="changes", className="changes unknown-yet", children=[_chip(*each) for each in SHOWN])


def _chip(word: str, label: str, meaning: str) -> Component:
    not_pressed: dict[str, Any] = {"aria-pressed": "false"}
    return html.Button(
        id={"type": "change", "word": word},
        className=f"change-chip {word}",
        title=f"{meaning} Click to list only these.",
        children=[
            html.Span(className="icon icon-right" if word == "fixed" else "icon icon-wrong"),
            html.Span(label),
            html.Strong(id={"type": "change-count", "word": word}),
        ],
        **not_pressed,
    )


def register(app: Dash) -> None:
    ids = State({"type": "change", "word": ALL}, "id")
    url, search = Output("url", "search", allow_duplicate=True), State("url", "search")
    in_browser(app, "filterByChange", url, Input({"type": "change", "word": ALL}, "n_clicks"), search)
    pressed = Output({"type": "change", "word": ALL}, "aria-pressed")
    in_browser(app, "pressChanges", pressed, Input("view", "data"), ids, at_start=True)


def counted(summary: SummariseExamplesResponse) -> tuple[list[str], str]:
    """For `OUTPUTS`."""
    found = {each.change: each.count for each in summary.changes}
    return (
        [numbers.count(found.get(CHANGES[word], 0)) for word, _, _ in SHOWN],
        "changes" if summary.changes else "changes unknown-yet",
    )
