"""`guessbook token revoke`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook


def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose token; `guessbook token list` lists them.")],
    as_json: AsJson = False,
) -> None:
    """Let a token open nothing any more, at once. What was done with it stays in the log.

    Example: guessbook token revoke anna
    """
    with Guessbook() as book:
        answer = book.revoke_token(name)
    if as_json:
        print_json(as_document(answer))
    else:
        out.print(f"the token of {name} is revoked", markup=False)
