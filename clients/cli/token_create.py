"""`guessbook token create`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, Role
from guessbook.clients.cli.output import as_document, err, out, print_json
from guessbook.clients.client import Guessbook


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the log calls whoever uses it.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    as_json: AsJson = False,
) -> None:
    """Make a token for somebody. It is printed this once and kept nowhere.

    Example: guessbook token create anna --role viewer
    """
    with Guessbook() as book:
        answer = book.create_token(name, role.number())
    if as_json:
        print_json(as_document(answer))
        return
    err.print(f"the token of {name}, a {role}; hand it on safely, it is not shown again:", markup=False)
    out.print(answer.secret, markup=False, soft_wrap=True)
