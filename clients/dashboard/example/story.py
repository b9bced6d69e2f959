"""One example: what was asked, what is expected, its loss, and every guess, newest first, with what changed since the guess before.

What a model says is only ever a text node: never HTML, never Markdown.
"""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import charts, numbers, problem, words
from guessbook.clients.dashboard.browser import in_browser
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import shown
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import GuessbookError
from guessbook.proto.history_pb2 import EXAMPLE_STATE_LEARNED, EXAMPLE_STATE_REGRESSED, Example, Observation, Trajectory

LONGEST_TEXT = 20_000  # characters of one text


def layout() -> Component:
    return html.Aside(
        id="story-panel",
        className="card story",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2(id="story-title"),
                    html.Div(
                        className="story-buttons",
                        children=[
                            _button("previous", "icon-left", "Previous example (k)"),
                            _button("next", "icon-right-page", "Next example (j)"),
                            _button("close", "icon-close", "Close (Esc)"),
                        ],
                    ),
                ],
            ),
            html.Div(id="story", className="story-body"),
            dcc.Store(id="neighbours"),
        ],
    )


def _button(name: str, icon: str, label: str) -> Component:
    named: dict[str, Any] = {"aria-label": label}
    return html.Button(html.Span(className=f"icon {icon}"), id=name, className="icon-button", title=label, **named)


def register(app: Dash, queries: Queries) -> None:
    async def tell(search: str, touched: dict[str, Any] | None, *_more: Any) -> tuple[Any, ...]:
        view = View.parse(search)
        if view.example is None or not touched or not touched["run"]:
            return "", [], None
        try:
            trajectory = await queries.trajectory(touched["run"], view.example, view.at)
        except GuessbookError as error:
            return f"Example {view.example}", [html.P(problem.told(error))], None
        neighbours = await around(queries, touched["run"], view, trajectory)
        return title(trajectory.example), body(trajectory), {"of": view.example, **neighbours}

    app.callback(
        Output("story-title", "children"),
        Output("story", "children"),
        Output("neighbours", "data"),
        Input("url", "search"),
        Input("run-shown", "data"),
        Input("snapshots-touched", "data"),
        Input("example-touched", "data"),
    )(tell)

    in_browser(
        app,
        "turnPage",
        Output("url", "search", allow_duplicate=True),
        Input("previous", "n_clicks"),
        Input("next", "n_clicks"),
        Input("close", "n_clicks"),
        State("url", "search"),
    )
    in_browser(
        app,
        "showNeighbours",
        Output("previous", "disabled"),
        Output("next", "disabled"),
        Input("neighbours", "data"),
        at_start=True,
    )


async def around(queries: Queries, run: str, view: View, trajectory: Trajectory) -> dict[str, list[int] | None]:
    """The neighbours as [index, row]: in the list as it is filtered and sorted, if the example was opened from it, else in the file."""
    if view.row is None or view.example is None:
        before = trajectory.previous if trajectory.HasField("previous") else None
        after = trajectory.next if trajectory.HasField("next") else None
        return {"previous": None if before is None else [before, -1], "next": None if after is None else [after, -1]}
    first = max(view.row - 1, 0)
    listed = [example.index for example in (await queries.examples(run, view, first, 3)).examples]
    # A live list moves: where the example has left its place, the one that took it comes next.
    place = listed.index(view.example) if view.example in listed else view.row - first
    follows = place + 1 if view.example in listed else place
    return {
        "previous": [listed[place - 1], first + place - 1] if 0 < place <= len(listed) else None,
        "next": [listed[follows], first + follows] if follows < len(listed) else None,
    }


def title(example: Example) -> list[Component]:
    return [
        html.Span(f"Example {numbers.count(example.index)}"),
        *([html.Span(example.category, className="badge")] if example.category else []),
    ]


def body(trajectory: Trajectory) -> list[Component]:
    example, observations = trajectory.example, trajectory.observations
    state = shown(example.state)
    return [
        html.P(
            [
                html.I(className=f"state-mark {state.word}"),
                html.Strong(headline(example)),
                html.Span(verdict(example), className="dim"),
            ],
            className="verdict",
        ),
        _text("Prompt", example.prompt),
        _text("Expected", example.expected),
        html.Div(className="chart-head", children=[html.H3("Loss (log)"), charts.legend(charts.STORY_LEGEND)]),
        charts.story_chart(trajectory),
        html.H3(f"Guesses, newest first · {len(observations)}"),
        html.Ol(className="guesses", children=guesses(list(observations))),
    ]


def headline(example: Example) -> str:
    label = shown(example.state).label
    learned = example.state == EXAMPLE_STATE_LEARNED and example.HasField("learned_step")
    return f"{label} at step {numbers.count(example.learned_step)}" if learned else label


def verdict(example: Example) -> str:
    """What else is to be said of how it was learned, lost, and how often."""
    parts = []
    if example.HasField("first_learned_step") and example.first_learned_step != example.learned_step:
        parts.append(f"first right at step {numbers.count(example.first_learned_step)}")
    if example.state == EXAMPLE_STATE_REGRESSED and example.HasField("regressed_step"):
        parts.append(f"wrong again at step {numbers.count(example.regressed_step)}")
    if example.forgetting_events:
        parts.append(f"forgotten {'once' if example.forgetting_events == 1 else f'{example.forgetting_events} times'}")
    return " · ".join(parts)


def guesses(observations: list[Observation]) -> list[Component]:
    """Newest first, each compared with the one before it in time."""
    befores = [None, *observations[:-1]]
    return [_guess(now, before) for before, now in reversed(list(zip(befores, observations, strict=True)))]


def _guess(now: Observation, before: Observation | None) -> Component:
    mark = "right" if now.correct else "wrong"
    return html.Li(
        className=f"guess {mark}",
        children=[
            html.Div(
                className="guess-head",
                children=[
                    html.Span(className=f"icon icon-{mark}", title=mark.capitalize()),
                    html.Strong(f"Step {numbers.count(now.step)}"),
                    html.Span(mark, className="mark-word"),
                    html.Span(f"loss {numbers.loss(now.loss)}"),
                    html.Span(f"confidence {now.confidence:.0%}"),
                    html.Span(shown(now.state).label, className=f"chip {shown(now.state).word}"),
                ],
            ),
            html.Div(className="guess-text", children=_told(now.guess, before.guess if before else None)),
        ],
    )


def _told(guess: str, before: str | None) -> list[Component]:
    if not guess:
        return [html.Span("(nothing)", className="dim")]
    if guess == before:
        return [html.Span(cut(guess)), html.Span(" same as before", className="dim same")]
    if before is None or len(guess) + len(before) > LONGEST_TEXT:
        return [html.Span(cut(guess))]
    tags = {"same": html.Span, "added": html.Ins, "removed": html.Del}
    return [tags[part.kind](part.text) for part in words.diff(before, guess)]


def _text(label: str, text: str) -> Component:
    return html.Div(className="text", children=[html.H3(label), html.Pre(cut(text) or "(empty)")])


def cut(text: str) -> str:
    return (
        text
        if len(text) <= LONGEST_TEXT
        else f"{text[:LONGEST_TEXT]}\n… {numbers.count(len(text) - LONGEST_TEXT)} more characters"
    )
