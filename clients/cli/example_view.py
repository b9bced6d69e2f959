"""Examples in a list, and the story of one. Pure: messages in, renderables out; they fit the given width."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from guessbook.clients.cli import curve, diff_view, wording
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.paging import Page
from guessbook.clients.visible import visible
from guessbook.proto import history_pb2
from guessbook.proto.history_pb2 import ExampleState

WIDE = 110  # from this many columns on the list shows the expected answers too, and more of each strip
GUESS_LIMIT = 280  # characters of a guess in a story, unless the whole is asked for
CURVE_WIDTH = 78
NOT_SEEN = "·"
HELD_OUT = "*"  # stands in front of the id
STEPS_NAMED = 8  # so many snapshots are each named by their step


def table(
    answer: history_pb2.ListExamplesResponse, width: int, caution: str = "", page: Page | None = None
) -> RenderableType:
    """One line per example: id, its state at each snapshot, loss, learned at, prompt, latest guess.

    `caution`: what to know of the run, in a sentence.
    """
    page = page or Page()
    if not answer.matching:
        return Text(f"No example matches ({answer.total} in all).")
    wide = width >= WIDE
    strip = 20 if wide else 8
    view = listing()
    view.add_column("id", no_wrap=True, overflow="ellipsis", max_width=28 if wide else 12)
    view.add_column("states", no_wrap=True)
    view.add_column("loss", justify="right", no_wrap=True)
    view.add_column("learned", justify="right", no_wrap=True)
    view.add_column("prompt", ratio=4, overflow="ellipsis", no_wrap=True)
    if wide:
        view.add_column("expected", ratio=2, overflow="ellipsis", no_wrap=True)
    view.add_column("guess", ratio=3, overflow="ellipsis", no_wrap=True)
    for example in answer.examples:
        seen = example.HasField("latest")
        cells: list[RenderableType] = [
            Text(HELD_OUT * example.held_out + wording.one_line(example.id)),
            state_strip(example, strip),
            wording.loss(example.latest.loss) if seen else "–",
            f"step {example.learned_step}" if example.HasField("learned_step") else "",
            Text(wording.one_line(example.prompt)),
            Text(wording.one_line(example.latest.guess)) if seen else Text("–"),
        ]
        if wide:
            cells.insert(-1, Text(wording.one_line(example.expected)))
        view.add_row(*cells)
    shown = [state for example in answer.examples for state in states_of(example)[-strip:]]
    legend = _legend(shown, answer.snapshot_steps)
    if any(example.held_out for example in answer.examples):
        legend.append(f"; {HELD_OUT} held out: watched, never trained on", "bright_black")
    footer = Text(page.told(len(answer.examples), answer.matching, answer.total))
    cautions = [Text(caution, style="yellow")] if caution else []
    return Group(view, legend, footer, *cautions)


def states_of(example: history_pb2.Example) -> Sequence["ExampleState.ValueType"]:
    """Its state at each snapshot, oldest first; of an example that no snapshot tells more of, the one it is in."""
    return example.strip or [example.state]


def state_strip(example: history_pb2.Example, limit: int) -> Text:
    """A letter a snapshot, oldest first; the last `limit` of them, with an ellipsis where some are left out."""
    states = states_of(example)
    text = Text()
    if len(states) > limit:
        text.append("…")
        states = states[1 - limit :]
    for state in states:
        letter, _, style = _shown(state)
        text.append(letter, style)
    return text


def _shown(state: "ExampleState.ValueType") -> tuple[str, str, str]:
    """(letter, word, style): the letter says in the strip what the colour says."""
    word, style = wording.EXAMPLE_STATES[state]
    return (word[0].upper() if state else NOT_SEEN), word, style


def _legend(states: Iterable["ExampleState.ValueType"], steps: Sequence[int]) -> Text:
    """What the letters of the strips mean, those that are there, and at which steps they stand."""
    present = set(states)
    parts = []
    for state in wording.EXAMPLE_STATES:
        if state in present:
            letter, word, style = _shown(state)
            parts.append(Text(letter, style) + Text(f" {word}", "bright_black"))
    legend = Text(", ", "bright_black").join(parts)
    if steps:
        at = f"{steps[0]} to {steps[-1]}" if len(steps) > STEPS_NAMED else ", ".join(map(str, steps))
        legend.append(f"; a letter a snapshot, at step {at}", "bright_black")
    return legend


def story(trajectory: history_pb2.Trajectory, width: int, *, full: bool = False) -> RenderableType:
    """What the model guessed for one example at each step, what changed, how wrong it was, and when it got it."""
    limit = None if full else GUESS_LIMIT
    parts: list[RenderableType] = [_title(trajectory.example), _texts(trajectory.example, limit), Text("")]
    if trajectory.observations:
        parts += [_guesses(trajectory.observations, limit), Text("")]
    visits = [(visit.step, visit.loss) for visit in trajectory.visits]
    observed = [(observation.step, observation.loss) for observation in trajectory.observations]
    drawn = curve.draw(visits, observed, min(width, CURVE_WIDTH))
    if drawn:
        head = Text("loss, on a logarithmic scale (● at a snapshot, · when trained on)", style="bright_black")
        parts += [head, *map(Text, drawn), Text("")]
    parts += [verdict(trajectory.example), *_facts(trajectory.example), *_neighbours(trajectory)]
    return Group(*parts)


def verdict(example: history_pb2.Example) -> Text:
    """When it was learned, in a sentence."""
    if not example.HasField("latest"):
        return Text("Never observed: no snapshot has looked at it yet.", style="yellow")
    if example.HasField("learned_step"):
        text = Text(f"Learned at step {example.learned_step} ✓", style="bold green")
        if example.forgetting_events:
            times = "once" if example.forgetting_events == 1 else f"{example.forgetting_events} times"
            text.append(f" (right for the first time at step {example.first_learned_step}, forgotten {times} since)")
        return text
    if example.HasField("regressed_step"):
        first = f"right for the first time at step {example.first_learned_step}"
        return Text(f"Regressed at step {example.regressed_step} ✗ ({first})", style="bold red")
    return Text("Not learned so far: ", style="yellow") + wording.example_state(example.state)


def _facts(example: history_pb2.Example) -> list[Text]:
    """How often it was trained on, and its place on the data map."""
    if example.held_out:
        trained = "Held out: watched, never trained on"
    else:
        trained = f"Trained on {_times(example.presentations)}"
        first, for_good = example.presentations_to_learn, example.presentations_to_learn_for_good
        if example.HasField("presentations_to_learn"):
            trained += f", {_times(first)} before it was right"
            if not example.HasField("presentations_to_learn_for_good"):
                trained += " first"
            elif for_good != first:
                trained += f" first, {_times(for_good)} before it was right for good"
    lines = [Text(trained)]
    if example.HasField("latest"):
        place = (
            f"Data map: confidence {example.map_confidence:.2f}, variability {example.map_variability:.2f}, "
            f"right at {wording.percent(example.map_correctness)} of the snapshots"
        )
        lines.append(Text(place))
    if example.cut:
        lines.append(Text("Its expected answer is longer than max_length leaves room for and was cut.", "yellow"))
    return lines


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _neighbours(trajectory: history_pb2.Trajectory) -> list[Text]:
    """Which examples stand beside it in the file, as `guessbook example` takes them."""
    words = [word for word in ("previous", "next") if trajectory.HasField(word)]
    beside = [f'{word} "#{getattr(trajectory, word)}"' for word in words]
    return [Text(" · ".join(beside), style="bright_black")] if beside else []


def _title(example: history_pb2.Example) -> Text:
    title = Text(f"Example #{example.index}", style="bold") + Text(f" · {wording.one_line(example.id)}")
    if example.category:
        title.append(f" · {wording.one_line(example.category)}")
    return title


def _texts(example: history_pb2.Example, limit: int | None) -> Table:
    texts = Table.grid(padding=(0, 2))
    texts.add_column(no_wrap=True, style="bright_black")
    texts.add_column(overflow="fold")
    for name, text in (("prompt", example.prompt), ("expected", example.expected)):
        clean = visible(text)
        texts.add_row(name, Text(clean if limit is None else wording.shortened(clean, limit)))
    return texts


def _guesses(observations: Sequence[history_pb2.Observation], limit: int | None) -> Table:
    view = listing(expand=False)
    view.add_column("step", justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    view.add_column("guess", overflow="fold")
    view.add_column("loss", justify="right", no_wrap=True)
    view.add_column("confidence", justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    for number, observation in enumerate(observations):
        before = observations[number - 1] if number else None
        view.add_row(
            str(observation.step),
            wording.mark(observation.correct),
            _guess(before, observation, limit),
            wording.loss(observation.loss),
            wording.percent(observation.confidence),
            wording.example_state(observation.state),
        )
    return view


def _guess(before: history_pb2.Observation | None, now: history_pb2.Observation, limit: int | None) -> Text:
    if not now.guessed:
        return Text("(measured only, to keep the budget)", style="bright_black")
    if before and before.guess == now.guess:
        text = diff_view.changed(now.guess, now.guess, limit)
        text.stylize("bright_black")
        return text
    return diff_view.changed(before.guess if before else "", now.guess, limit)
