"""`guessbook replay RUN --step N`."""

from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli import example_view, status_view, wording
from guessbook.clients.cli.options import AsJson, RunArgument
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.example_page import example_page
from guessbook.proto import history_pb2


def replay(
    run: RunArgument,
    step: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="The optimizer step to go back to; 0 is before training.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many examples.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show a run as it was after a step: its state, and the guesses of then.

    Example: guessbook replay latest --step 25
    """
    with Guessbook() as book:
        found = book.run(run)  # "latest" means the latest of now, not of then
        moment = history_pb2.At(run_step=history_pb2.RunStep(run=found.id, step=step))
        status = book.status(moment)
        then = history_pb2.At(position=status.position)  # one position for every answer below
        past = book.run(found.id, then)
        page = example_page(book, found.id, then, limit=limit)
    if as_json:
        document = {"position": status.position, "recorded_at_us": status.recorded_at_us}
        print_json({**document, "run": as_document(past), **as_document(page)})
        return
    when = wording.moment(status.recorded_at_us)
    out.print(Text(f"{wording.one_line(past.name)} · run {past.id}", style="bold"))
    out.print(Text(f"as of position {status.position}, {when} (the log is at {status.head} now)", style="yellow"))
    for line in status_view.run_lines(past):
        out.print(line)
    out.print(example_view.table(page, out.width))
