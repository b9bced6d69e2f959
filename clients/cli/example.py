"""`guessbook example RUN ID`."""

from typing import Annotated

import typer

from guessbook.clients.cli import example_view
from guessbook.clients.cli.options import AsJson, AtOption, RunArgument
from guessbook.clients.cli.output import out, show
from guessbook.clients.client import Guessbook


def example(
    run: RunArgument,
    example: Annotated[str, typer.Argument(metavar="ID", help='The example\'s id, or "#3" for its index.')],
    full: Annotated[bool, typer.Option("--full", help="Show long guesses whole.")] = False,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell the story of one example: what the model guessed at each step, and when it got it.

    Example: guessbook example latest capital-of-mongolia
    """
    with Guessbook() as book:
        answer = book.trajectory(run, example, at)
    show(answer, example_view.story(answer, out.width, full=full), as_json)
