"""Two stages of the model, example by example. Pure: messages in, renderables out; they fit the given width."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import diff_view, wording
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.paging import Page
from guessbook.proto import history_pb2
from guessbook.proto.history_pb2 import Change

# Word, style and what it says of the guesses: the marks tell what the colours tell.
CHANGES: dict["Change.ValueType", tuple[str, str, str]] = {
    history_pb2.CHANGE_FIXED: ("fixed", "green", "✗→✓"),
    history_pb2.CHANGE_BROKEN: ("broken", "red", "✓→✗"),
    history_pb2.CHANGE_STILL_WRONG: ("still wrong", "yellow", "✗→✗"),
    history_pb2.CHANGE_STILL_RIGHT: ("still right", "bright_black", "✓→✓"),
}
PROMPT_LIMIT = 200  # characters
GUESS_LIMIT = 280  # columns of a guess with what changed in it


def comparison(answer: history_pb2.CompareResponse, page: Page | None = None) -> RenderableType:
    """What became of the examples in both: how many were fixed and broken, the mean loss, then both guesses of each."""
    page = page or Page()
    both = sum(count.count for count in answer.counts)
    parts: list[RenderableType] = [_head(answer), _counts(answer, both)]
    if answer.examples:
        parts += [Text(""), _rows(answer)]
    elif not answer.matching:
        parts.append(Text("No example matches."))
    parts.append(Text(page.told(len(answer.examples), answer.matching, both)))
    return Group(*parts)


def _head(answer: history_pb2.CompareResponse) -> Text:
    before, after = answer.before, answer.after
    return Text(f"{before.run} step {before.step} → {after.run} step {after.step}", style="bold")


def _counts(answer: history_pb2.CompareResponse, both: int) -> Text:
    counted = {count.change: count.count for count in answer.counts}
    text = Text(" · ").join(
        Text(f"{word} {counted.get(change, 0)}", style) for change, (word, style, _) in CHANGES.items()
    )
    if both:
        text.append(f"\nmean loss {wording.loss(answer.mean_loss_before)} → {wording.loss(answer.mean_loss_after)}")
    for count, which in ((answer.only_before, "before"), (answer.only_after, "after")):
        if count:
            text.append(f"\n{count} examples are only in what came {which} and are not compared", "yellow")
    return text


def _rows(answer: history_pb2.CompareResponse) -> RenderableType:
    view = listing()
    view.add_column("", no_wrap=True)
    view.add_column("example and its guesses", overflow="fold", ratio=1)
    view.add_column("loss", justify="right", no_wrap=True)
    for example in answer.examples:
        _, style, mark = CHANGES[example.change]
        losses = f"{wording.loss(example.before.loss)} → {wording.loss(example.after.loss)}"
        view.add_row(Text(mark, style), _example(example), losses)
    return view


def _example(example: history_pb2.ComparedExample) -> Text:
    """Its id and prompt; the guess before; the guess after, with what changed. A guess that is the same is said once."""
    prompt = wording.shortened(wording.one_line(example.prompt), PROMPT_LIMIT)
    text = Text(wording.one_line(example.id), "bold") + Text(f" {prompt}")
    if example.expected:
        expected = wording.shortened(wording.one_line(example.expected), PROMPT_LIMIT)
        text.append(f"\nexpected {expected}", "bright_black")
    before, after = " ".join(example.before.guess.split()), " ".join(example.after.guess.split())
    text.append("\nwas      ", "bright_black").append(diff_view.changed(before, before, GUESS_LIMIT))
    text.append("\nnow      ", "bright_black")
    text.append("the same" if before == after else diff_view.changed(before, after, GUESS_LIMIT))
    return text
