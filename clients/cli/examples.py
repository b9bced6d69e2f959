"""`guessbook examples RUN`."""

from typing import Annotated

import typer

from guessbook.clients import cautions
from guessbook.clients.cli import example_view
from guessbook.clients.cli.options import AsJson, AtOption, RunArgument, State
from guessbook.clients.cli.output import out, show
from guessbook.clients.client import Guessbook


def examples(
    run: RunArgument = "latest",
    state: Annotated[list[State] | None, typer.Option(help="Only these states; may be repeated.")] = None,
    search: Annotated[str, typer.Option(metavar="TEXT", help="In the prompt, the expected answer or any guess.")] = "",
    sort: Annotated[str, typer.Option(help="index, loss, learned, change or state; -loss turns it round.")] = "index",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """List a run's examples: state, prompt, latest guess, and when it was learned.

    Example: guessbook examples latest --state regressed --sort=-loss
    """
    states = [one.number() for one in state or []]
    with Guessbook() as book:
        answer = book.examples(run, at, states=states, search=search, sort=sort, limit=limit)
        caution = cautions.cut(book.run(run, at))
    show(answer, example_view.table(answer, out.width, caution), as_json)
