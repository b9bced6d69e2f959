"""`guessbook backup restore`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.backups import IdArgument, PlaceArgument, ReasonOption, run
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json


def restore(
    place: PlaceArgument,
    backup: IdArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="The new data folder; must not be there, or be empty.")],
    to_position: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Up to the last commit that ends at or before position N.")
    ] = None,
    reason: ReasonOption = "",
    as_json: AsJson = False,
) -> None:
    """Make a data folder out of a backup, whole and checked, or none. Whoever wrote to the old log has to begin anew.

    Example: guessbook backup restore /mnt/usb/guessbook latest --to ./guessbook-restored
    """
    words = [place, backup, "--to", str(to.absolute()), "--reason", reason]
    if to_position is not None:
        words += ["--to-position", str(to_position)]
    answer = run("restore", words)
    if as_json:
        print_json(answer)
        return
    told = f"the log up to position {answer['head']} and {answer['files']} files"
    out.print(f"restored {told} into {answer['to']}", markup=False, soft_wrap=True)
    out.print(f"Start it with: guessbook up --home {answer['to']}", markup=False, soft_wrap=True)
