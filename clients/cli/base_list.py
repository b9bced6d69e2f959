"""`guessbook base list`."""

from rich.console import RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook
from guessbook.projections.base_models import reference
from guessbook.proto.safety_pb2 import ListBaseModelsResponse


def list_base_models(at: AtOption = None, as_json: AsJson = False) -> None:
    """List the registered base models, and which one jobs train that name none.

    Example: guessbook base list
    """
    with Guessbook() as book:
        answer = book.base_models(at)
    show(answer, table(answer), as_json)


def table(answer: ListBaseModelsResponse) -> RenderableType:
    if not answer.base_models:
        return Text("No base model is registered. `guessbook base add NAME MODEL` registers one.")
    view = listing()
    view.add_column("name", no_wrap=True)
    view.add_column("", no_wrap=True)
    view.add_column("model", ratio=1, overflow="fold")
    view.add_column("files", justify="right", no_wrap=True)
    for model in answer.base_models:
        view.add_row(
            Text(wording.one_line(model.name), style="green"),
            "in use" if model.used else "",
            Text(wording.one_line(reference(model))),
            str(len(model.files)),
        )
    return view
