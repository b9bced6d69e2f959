"""What is known of one example besides its guesses, in words. Pure."""

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.states import shown
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import EXAMPLE_STATE_LEARNED, EXAMPLE_STATE_REGRESSED, Example


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
        parts.append(f"forgotten {times(example.forgetting_events)}")
    return " · ".join(parts)


def facts(example: Example) -> Component:
    """Names and values, those that there are."""
    return html.Dl(
        className="story-facts",
        children=[
            html.Div([html.Dt(name), html.Dd(html.Span(visible(value), dir="auto"), className="foreign")])
            for name, value in told(example)
        ],
    )


def told(example: Example) -> list[tuple[str, str]]:
    pairs = [("Id", example.id if example.id != str(example.index) else ""), ("Category", example.category)]
    if example.held_out:
        pairs.append(("Held out", "watched, never trained on"))
    else:
        pairs.append(("Trained on", times(example.presentations) if example.presentations else "not yet"))
    if example.HasField("presentations_to_learn"):
        pairs.append(("Right for the first time", _after(example.presentations_to_learn)))
    if example.HasField("presentations_to_learn_for_good"):
        pairs.append(("Right for good", _after(example.presentations_to_learn_for_good)))
    if example.HasField("latest"):
        pairs += [
            ("Forgotten", times(example.forgetting_events) if example.forgetting_events else "never"),
            ("On the data map", f"confidence {example.map_confidence:.2f}, variability {example.map_variability:.2f}"),
            ("Right at", f"{example.map_correctness:.0%} of the snapshots"),
        ]
    if example.cut:
        pairs.append(("Cut", "its expected answer is longer than max_length leaves room for"))
    return [(name, value) for name, value in pairs if value]


def times(count: int) -> str:
    return "once" if count == 1 else f"{numbers.count(count)} times"


def _after(presentations: int) -> str:
    return f"after being trained on {times(presentations)}" if presentations else "before it was trained on"
