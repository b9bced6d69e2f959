"""`guessbook insights RUN`."""

from guessbook.clients.cli import insight_view
from guessbook.clients.cli.options import AsJson, AtOption, RunArgument
from guessbook.clients.cli.output import show
from guessbook.clients.client import Guessbook


def insights(run: RunArgument = "latest", at: AtOption = None, as_json: AsJson = False) -> None:
    """Say what stands out among a run's examples, with evidence and what to do: label errors, contradictions, what was forgotten.

    Example: guessbook insights latest
    """
    with Guessbook() as book:
        answer = book.insights(run, at)
    show(answer, insight_view.listed(answer), as_json)
