"""Examples in a list, and the story of one. Pure: messages in, renderables out; they fit the given width."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from guessbook.clients.cli import curve, wording
from guessbook.clients.cli.listing import listing
from guessbook.proto import history_pb2

WIDE = 110  # from this many columns on the list shows the expected answers too
GUESS_LIMIT = 280  # characters of a guess in a story, unless the whole is asked for


def table(answer: history_pb2.ListExamplesResponse, width: int, caution: str = "") -> RenderableType:
    """One line per example: state, prompt, latest guess, learned at. `caution`: what to know of the run, in a sentence."""
    if not answer.examples:
        return Text(f"No example matches ({answer.total} in all).")
    wide = width >= WIDE
    view = listing()
    view.add_column("#", justify="right", no_wrap=True)
    view.add_column("state", no_wrap=True)
    view.add_column("prompt", ratio=4, overflow="ellipsis", no_wrap=True)
    if wide:
        view.add_column("expected", ratio=2, overflow="ellipsis", no_wrap=True)
    view.add_column("guess", ratio=3, overflow="ellipsis", no_wrap=True)
    view.add_column("loss", justify="right", no_wrap=True)
    view.add_column("learned", justify="right", no_wrap=True)
    for example in answer.examples:
        seen = example.HasField("latest")
        cells: list[RenderableType] = [
            str(example.index),
            wording.example_state(example.state),
            Text(wording.one_line(example.prompt)),
            Text(wording.one_line(example.latest.guess)) if seen else Text("–"),
            wording.loss(example.latest.loss) if seen else "–",
            f"step {example.learned_step}" if example.HasField("learned_step") else "",
        ]
        if wide:
            cells.insert(3, Text(wording.one_line(example.expected)))
        view.add_row(*cells)
    shown, matching, total = len(answer.examples), answer.matching, answer.total
    footer = f"{shown} of {matching}" + (f" that match, {total} in all" if matching != total else "")
    return Group(view, Text(footer), *([Text(caution, style="yellow")] if caution else []))


def story(trajectory: history_pb2.Trajectory, width: int, *, full: bool = False) -> RenderableType:
    """What the model guessed for one example at each step, how wrong it was, and when it got it."""
    example = trajectory.example
    title = Text(f"Example #{example.index}", style="bold") + Text(f" · {example.id}")
    if example.category:
        title.append(f" · {wording.one_line(example.category)}")
    limit = None if full else GUESS_LIMIT
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True, style="bright_black")
    facts.add_column(overflow="fold")
    facts.add_row("prompt", _foreign(example.prompt, limit))
    facts.add_row("expected", _foreign(example.expected, limit))
    parts: list[RenderableType] = [title, facts, Text("")]
    if trajectory.observations:
        parts += [_guesses(trajectory, limit), Text("")]
    visits = [(visit.step, visit.loss) for visit in trajectory.visits]
    observed = [(observation.step, observation.loss) for observation in trajectory.observations]
    drawn = curve.draw(visits, observed, min(width, 78))
    if drawn:
        parts += [Text("loss (● at a snapshot, · when trained on)", style="bright_black"), *map(Text, drawn), Text("")]
    parts.append(verdict(example))
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


def _foreign(text: str, limit: int | None) -> Text:
    clean = wording.printable(text)
    return Text(clean if limit is None else wording.shortened(clean, limit))


def _guesses(trajectory: history_pb2.Trajectory, limit: int | None) -> Table:
    view = listing(expand=False)
    view.add_column("step", justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    view.add_column("guess", overflow="fold")
    view.add_column("loss", justify="right", no_wrap=True)
    view.add_column("confidence", justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    for observation in trajectory.observations:
        view.add_row(
            str(observation.step),
            wording.mark(observation.correct),
            _foreign(observation.guess, limit),
            wording.loss(observation.loss),
            wording.percent(observation.confidence),
            wording.example_state(observation.state),
        )
    return view
