"""`guessbook config show`."""

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook


def show_config(as_json: AsJson = False) -> None:
    """Print the server's config.yaml, with what is secret left out.

    Example: guessbook config show
    """
    with Guessbook() as book:
        answer = book.config()
    if as_json:
        print_json(as_document(answer))
    else:
        out.print(answer.yaml or f"# {answer.path} is not there: the defaults hold", markup=False, soft_wrap=True)
