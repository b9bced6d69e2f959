"""`guessbook versions`."""

from typing import Annotated

import typer

from guessbook.clients.cli import version_view
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def versions(
    deleted: Annotated[bool, typer.Option("--deleted", help="Show what is in the trash too.")] = False,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the tree of trained versions, with what they knew before and after.

    Example: guessbook versions
    """
    with Guessbook() as book:
        answer = book.versions(at, deleted=deleted)
    show(answer, version_view.tree(answer), as_json)
