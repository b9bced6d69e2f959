"""A submitted file as a person reads it. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.clients.visible import visible
from guessbook.proto import control_pb2


def submitted(answer: control_pb2.SubmitJobResponse) -> RenderableType:
    """What was detected in a submitted file, its first rows, what can't be read, and what became of it."""
    lines: list[RenderableType] = []
    if answer.preview:
        rows = listing()
        rows.add_column("#", justify="right", no_wrap=True)
        rows.add_column("prompt", ratio=3, overflow="ellipsis", no_wrap=True)
        rows.add_column("expected", ratio=2, overflow="ellipsis", no_wrap=True)
        for example in answer.preview:
            prompt, expected = wording.one_line(example.prompt), wording.one_line(example.expected)
            rows.add_row(str(example.index), Text(prompt), Text(expected))
        lines += [rows, Text("")]
    lines.append(Text(visible(answer.report)))
    return Group(*lines)
