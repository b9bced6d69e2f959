"""`guessbook export RUN`."""

from typing import Annotated

import typer

from guessbook.clients.cli import filtering
from guessbook.clients.cli.filtering import CategoryOption, HeldOutOption, SearchOption, StateOption, WithoutStateOption
from guessbook.clients.cli.options import AsJson, AtOption, RunArgument
from guessbook.clients.cli.output import err, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid
from guessbook.clients.export.destination import STANDARD_OUTPUT
from guessbook.clients.export.formats import Format
from guessbook.clients.export.formats import export as write
from guessbook.clients.export.selection import Filter, Selection


def export(
    run: RunArgument,
    format: Annotated[Format, typer.Option("--format", help="What to write.")],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="PATH", help="The new file; for cartography a folder. - is standard output."
        ),
    ],
    state: StateOption = None,
    without_state: WithoutStateOption = None,
    search: SearchOption = "",
    category: CategoryOption = "",
    held_out: HeldOutOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's observations to a file, or the part of its training set that a filter leaves.

    Example: guessbook export latest --format training-set --without-state never-learned -o next.jsonl
    """
    if as_json and output == STANDARD_OUTPUT:
        raise Invalid("--json and the export can't both have standard output", "Name a file with -o.")
    states = filtering.wanted(state, without_state)
    with Guessbook() as book:
        selection = Selection(book, run, at, Filter(states, search, category, held_out))
        total = selection.total()
        written = write(selection, format, output, force=force)
    if selection.incomplete and format is not Format.TRAINING_SET:
        many = selection.incomplete
        told = "1 snapshot that is not whole is" if many == 1 else f"{many} snapshots that are not whole are"
        err.print(f"{told} left out: a snapshot that failed, or goes on, has only some of the examples", soft_wrap=True)
    if as_json:
        about = {"run": selection.run.id, "position": selection.at.position, "format": format.value, "path": output}
        print_json({**about, "examples": written.examples, "total": total, "observations": written.observations})
        return
    counts = f"{written.examples} of {total} examples"
    if format is not Format.TRAINING_SET:
        counts += f", {written.observations} observations"
    console = err if output == STANDARD_OUTPUT else out
    console.print(
        f"{counts} → {'standard output' if output == STANDARD_OUTPUT else output}", markup=False, soft_wrap=True
    )
