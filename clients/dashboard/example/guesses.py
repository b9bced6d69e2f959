"""Every guess of one example, newest first: what changed since the one before, how sure the model was, and how often it was trained meanwhile. Pure."""

from collections.abc import Sequence
from math import isfinite

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, words
from guessbook.clients.dashboard.example import text
from guessbook.clients.dashboard.states import shown
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import Observation, Visit

MOST = 100  # guesses that are told at once, the newest
COMPARED = 20_000  # characters of two guesses together; longer ones are shown without what changed


def guesses(observations: Sequence[Observation], visits: Sequence[Visit]) -> list[Component]:
    """List items, the newest first. `visits` go before the guess that came after them."""
    befores = [None, *observations[:-1]]
    told: list[Component] = []
    latest = observations[-1].step if observations else -1
    since = [visit for visit in visits if visit.step > latest]
    if since:
        told.append(html.Li(trained(since, "since"), className="since"))
    for before, now in list(zip(befores, observations, strict=True))[-MOST:][::-1]:
        after = before.step if before else -1
        told.append(_guess(now, before, [visit for visit in visits if after < visit.step <= now.step]))
    return told


def how_many(many: int) -> str:
    """What stands over the list."""
    if many <= MOST:
        return f"Guesses, newest first · {numbers.count(many)}"
    return f"Guesses, newest first · {numbers.count(MOST)} of {numbers.count(many)}; an export has all"


def trained(visits: Sequence[Visit], when: str) -> str:
    """How often it was presented in training, and what its loss was the first and the last time. There is at least one visit."""
    times = "once" if len(visits) == 1 else f"{numbers.count(len(visits))} times"
    losses = dict.fromkeys((measured(visits[0].loss), measured(visits[-1].loss)))
    return f"Trained {times} {when}, loss {' → '.join(losses)}"


def measured(loss: float) -> str:
    """A loss that may be no number: training can come to that."""
    return numbers.loss(loss) if isfinite(loss) else "not a number"


def _guess(now: Observation, before: Observation | None, visits: Sequence[Visit]) -> Component:
    mark = "right" if now.correct else "wrong"
    state = shown(now.state)
    figures = [
        html.Span(f"loss {measured(now.loss)}"),
        html.Span(f"confidence {now.confidence:.0%}", title="Mean probability of the guess's own words"),
        html.Span(f"expected answer {now.expected_probability:.0%}", title="Probability of the expected answer"),
    ]
    return html.Li(
        className=f"guess {mark}",
        children=[
            html.Div(
                className="guess-head",
                children=[
                    html.Span(className=f"icon icon-{mark}"),
                    html.Strong(f"Step {numbers.count(now.step)}"),
                    html.Span(mark, className="mark-word"),
                    *figures,
                    html.Span(state.label, className=f"chip {state.word}"),
                ],
            ),
            text.foreign(_told(now, before), len(now.guess) + len(before.guess if before else ""), "guess-text"),
            html.Div(trained(visits, "before it"), className="guess-visits dim") if visits else None,
        ],
    )


def _told(now: Observation, before: Observation | None) -> list[Component]:
    if not now.guessed and before is not None:
        return [*_words(now.guess), _aside("only measured here, to keep the budget: the guess before")]
    if before is not None and now.guess == before.guess:
        return [*_words(now.guess), _aside("same as before")]
    if before is None or not now.guess or len(now.guess) + len(before.guess) > COMPARED:
        return _words(now.guess)
    tags = {"same": html.Span, "added": html.Ins, "removed": html.Del}
    return [tags[part.kind](part.text) for part in words.diff(visible(before.guess), visible(now.guess))]


def _words(guess: str) -> list[Component]:
    return text.whole(guess) if guess else [html.Span("(nothing)", className="dim")]


def _aside(said: str) -> Component:
    return html.Span(said, className="dim same", dir="ltr")
