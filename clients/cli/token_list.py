"""`guessbook token list`."""

from rich.table import Table

from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.options import AsJson, Role
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook
from guessbook.proto.control_pb2 import ListTokensResponse


def list_tokens(as_json: AsJson = False) -> None:
    """List whose tokens there are, and what they may do. The tokens themselves are known to nobody.

    Example: guessbook token list
    """
    with Guessbook() as book:
        answer = book.tokens()
    show(answer, table(answer), as_json)


def table(answer: ListTokensResponse) -> Table:
    view = listing(expand=False)
    for column in ("name", "role", "made", "revoked"):
        view.add_column(column)
    for token in answer.tokens:
        revoked = wording.moment(token.revoked_at_us) if token.revoked_at_us else ""
        view.add_row(token.name, Role.of(token.role), wording.moment(token.created_at_us), revoked)
    return view
