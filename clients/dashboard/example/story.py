"""One example: what was asked, what is expected, its loss, and every guess. In a panel beside the list, and on a page of its own.

What a model says is only ever a text node: never HTML, never Markdown.
"""

import asyncio
from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from guessbook.clients.dashboard import charts, numbers, problem
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.example import guesses, probabilities, text
from guessbook.clients.dashboard.example.facts import facts, headline, verdict
from guessbook.clients.dashboard.example.neighbours import around
from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import shown
from guessbook.clients.dashboard.view import View, at, point
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Example, Trajectory


def layout(*, alone: bool = False) -> Component:
    """The panel; `alone`: what the page of its own shows. The parts have the same names in both, and only one is there at a time."""
    heading = html.H1 if alone else html.H2
    # Both lead to the same example, so that one can go back and forth.
    elsewhere = ("icon-left", "To the list") if alone else ("icon-open", "On a page of its own")
    return html.Aside(
        id="story-panel",
        className="card story alone" if alone else "card story",
        children=[
            html.Div(
                className="card-head",
                children=[
                    heading(id="story-title", className="story-title"),
                    html.Div(
                        className="story-buttons",
                        children=[
                            _button("previous", "icon-left", "Previous example (k)"),
                            _button("next", "icon-right-page", "Next example (j)"),
                            _button("copy-link", "icon-link", "Copy a link to this example"),
                            _elsewhere(*elsewhere, words=alone),
                            *([] if alone else [_button("close", "icon-close", "Close (Esc)")]),
                        ],
                    ),
                ],
            ),
            html.Div(id="story", className="story-body", tabIndex=None if alone else 0),  # it scrolls
            dcc.Store(id="neighbours"),
            dcc.Store(id="story-of"),
            dcc.Store(id="story-asked"),
            dcc.Store(id="story-seen"),
        ],
    )


def _button(name: str, icon: str, label: str) -> Component:
    named: dict[str, Any] = {"aria-label": label}
    return html.Button(html.Span(className=f"icon {icon}"), id=name, className="icon-button", title=label, **named)


def _elsewhere(icon: str, label: str, *, words: bool) -> Component:
    mark = html.Span(className=f"icon {icon}")
    if words:
        return dcc.Link([mark, label], id="story-elsewhere", href="/evolution", className="button-link")
    # The words are for who doesn't see the icon: dcc.Link takes no aria-label.
    said = html.Span(label, className="unseen")
    return dcc.Link([mark, said], id="story-elsewhere", href="/example", className="icon-button", title=label)


def register(app: Dash, queries: Queries) -> None:
    async def tell(
        search: str, shown_run: dict[str, Any] | None, _snapshots: Any, _visits: Any, told_of: str | None
    ) -> tuple[Any, ...]:
        view = View.parse(search)
        if view.example is None:
            return "", _nothing_chosen(view), None, None
        if not shown_run or not shown_run["run"]:
            return f"Example {view.example}", [html.P("There is no run to look at.")] if shown_run else [], None, None
        try:
            trajectory = await _trajectory(queries, shown_run["run"], view, view.example)
            neighbours = await around(queries, shown_run["run"], view, trajectory)
        except GuessbookError as error:
            return f"Example {view.example}", [html.P(problem.told(error))], None, None
        about = sha256(trajectory.SerializeToString(deterministic=True)).hexdigest()
        beside = {"of": view.example, **neighbours}
        if about == told_of:
            # What was opened or scrolled to in it stays so.
            return no_update, no_update, beside, no_update
        # To compare long guesses takes its time, in which others wait for their answers.
        told = await asyncio.to_thread(body, trajectory)
        return title(trajectory.example), told, beside, about

    app.callback(
        Output("story-title", "children"),
        Output("story", "children"),
        Output("neighbours", "data"),
        Output("story-of", "data"),
        Input("story-asked", "data"),
        Input("run-shown", "data"),
        Input("snapshots-touched", "data"),
        Input("example-touched", "data"),
        State("story-of", "data"),
    )(tell)
    asked = Output("story-asked", "data")
    in_browser(app, "askStory", asked, Input("url", "search"), State("story-asked", "data"), at_start=True)
    _register_turning(app)


async def _trajectory(queries: Queries, run: str, view: View, index: int) -> Trajectory:
    """As of the snapshot that is shown."""
    moment = at(view.at) if view.step is None else point(view, await queries.run(run, view.at))
    return await queries.book.trajectory(run, f"#{index}", moment)


def _register_turning(app: Dash) -> None:
    search = State("url", "search")
    url = Output("url", "search", allow_duplicate=True)
    in_browser(app, "turnPage", url, Input("previous", "n_clicks"), Input("next", "n_clicks"))
    in_browser(app, "closeStory", url, Input("close", "n_clicks"), search)
    in_browser(app, "showStory", Output("story-seen", "data"), Input("url", "search"), at_start=True)
    in_browser(
        app,
        "showNeighbours",
        Output("previous", "disabled"),
        Output("next", "disabled"),
        Input("neighbours", "data"),
        at_start=True,
    )
    in_browser(
        app,
        "storyElsewhere",
        Output("story-elsewhere", "href"),
        Input("story-asked", "data"),
        Input("url", "pathname"),
        at_start=True,
    )
    in_browser(
        app,
        "copyExample",
        Output("copy-link", "title"),
        Input("copy-link", "n_clicks"),
        State("url", "search"),
        State("run-shown", "data"),
    )


def title(example: Example) -> list[Component]:
    return [
        html.Span(f"Example {numbers.count(example.index)}"),
        *([html.Span(visible(example.category), className="badge", dir="auto")] if example.category else []),
        *([html.Span("held out", className="badge")] if example.held_out else []),
    ]


def body(trajectory: Trajectory) -> list[Component]:
    """In two parts, which stand beside each other where there is room: what is known of it, and what was guessed."""
    example, observations = trajectory.example, list(trajectory.observations)
    state = shown(example.state)
    known: list[Component] = [
        html.P(
            className="verdict",
            children=[
                html.I(className=f"state-mark {state.word}"),
                html.Strong(headline(example)),
                html.Span(verdict(example), className="dim"),
            ],
        ),
        text.block("Prompt", example.prompt),
        text.block("Expected", example.expected),
    ]
    if observations or trajectory.visits:
        known += [_chart_head("Loss (log)", charts.STORY_LEGEND), charts.story_chart(trajectory)]
    if observations:
        known += [_chart_head("Probability", probabilities.LEGEND), probabilities.chart(trajectory)]
    listed = html.Ol(className="guesses", children=guesses.guesses(observations, list(trajectory.visits)))
    none = html.P("No snapshot has looked at it yet.", className="dim")
    return [
        html.Div([*known, facts(example)], className="story-known"),
        html.Div(
            [html.H3(guesses.how_many(len(observations))), listed if observations else none], className="story-guesses"
        ),
    ]


def _chart_head(name: str, legend: tuple[tuple[str, str], ...]) -> Component:
    return html.Div(className="chart-head", children=[html.H3(name), charts.legend(legend)])


def _nothing_chosen(view: View) -> list[Component]:
    to_list = dcc.Link("Choose one from the list", href=href("/evolution", view.at, run=view.run))
    return [
        html.Div(
            className="empty shown",
            children=[html.H2("No example is chosen"), html.P(to_list)],
        )
    ]
