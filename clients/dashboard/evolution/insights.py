"""What stands out among a run's examples, in words: what was seen, the figures behind it, what to do, and the examples it is about."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import asked_view, insight_word
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Insight, Run

WORD = "insights"  # of its tab, in the URL
NAMED = 10  # examples that are named under an insight; its list has all


def layout() -> Component:
    return html.Div(
        className="insights-part",
        children=[
            html.P(id="insights-note", className="dim"),
            html.Div(id="insights", className="insights"),
            dcc.Store(id="insights-of"),
        ],
    )


def register(app: Dash, queries: Queries) -> None:
    async def insights(
        filtered: dict[str, Any] | None, told_of: list[Any] | None
    ) -> tuple[list[Component], str, list[Any]]:
        if not filtered or not filtered["run"]:
            raise PreventUpdate
        view = asked_view(filtered)
        # They are of the whole run: a filter changes nothing, and to find them is work.
        about = [filtered["run"], view.at, view.step, filtered["position"]]
        if about == told_of:
            raise PreventUpdate
        found = (await queries.insights(filtered["run"], view)).insights
        run = await queries.run(filtered["run"], view.at)
        return [card(insight) for insight in found] or [nothing()], note(run, view.step), about

    app.callback(
        Output("insights", "children"),
        Output("insights-note", "children"),
        Output("insights-of", "data"),
        Input(f"{WORD}-asked", "data"),
        State("insights-of", "data"),
    )(insights)
    search, url = State("url", "search"), Output("url", "search", allow_duplicate=True)
    in_browser(app, "listInsight", url, Input({"type": "insight", "word": ALL}, "n_clicks"), search)
    in_browser(
        app,
        "openOfInsight",
        url,
        Input({"type": "insight-example", "word": ALL, "index": ALL}, "n_clicks"),
        search,
    )
    in_browser(
        app,
        "pressInsights",
        Output({"type": "insight", "word": ALL}, "aria-pressed"),
        Input("view", "data"),
        Input({"type": "insight", "word": ALL}, "id"),
        at_start=True,
    )


def note(run: Run, step: int | None) -> str:
    """What they are of. `step`: the snapshot that is shown, None for the newest."""
    complete = [each.step for each in run.snapshots if each.complete and (step is None or each.step <= step)]
    return "Of all examples of the run, " + (
        f"as of step {numbers.count(complete[-1])}" if complete else "before its first snapshot"
    )


def card(insight: Insight) -> Component:
    return html.Article(
        className=f"insight {insight.kind}",
        children=[
            html.Div(
                className="insight-head",
                children=[html.Strong(visible(insight.sentence), dir="auto"), _button(insight)],
            ),
            html.P(visible(insight.evidence), className="dim foreign", dir="auto"),
            html.P([html.B("What to do: "), visible(insight.advice)]),
            *([_examples(insight)] if insight.example_index else []),
        ],
    )


def nothing() -> Component:
    return html.P(
        "Nothing stands out. Of what examples did, nothing is said before three snapshots are complete.",
        className="dim",
    )


def _button(insight: Insight) -> Component | None:
    if not insight.example_index:
        return None
    listed = len(insight.example_index)
    many = (
        f"List {'it' if listed == 1 else f'these {numbers.count(listed)}'}"
        if listed == insight.count
        else f"List the clearest {numbers.count(listed)} of {numbers.count(insight.count)}"
    )
    not_pressed: dict[str, Any] = {"aria-pressed": "false"}
    return html.Button(
        many, id={"type": "insight", "word": insight_word(insight)}, className="insight-list", **not_pressed
    )


def _examples(insight: Insight) -> Component:
    """The clearest ones, with what is said of each in particular."""
    rows = [
        html.Li(
            [
                html.Button(
                    f"Example {numbers.count(index)}",
                    id={"type": "insight-example", "word": insight_word(insight), "index": index},
                    className="link-button",
                ),
                html.Span(visible(detail), className="foreign", dir="auto"),
            ]
        )
        for index, detail in list(zip(insight.example_index, insight.detail, strict=True))[:NAMED]
    ]
    named = f"{numbers.count(len(rows))} of {numbers.count(insight.count)}" if len(rows) < insight.count else "Each"
    return html.Details([html.Summary(f"{named} in particular"), html.Ol(rows)])
