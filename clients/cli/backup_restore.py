"""`guessbook backup restore`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.backups import IdArgument, PlaceOption, ReasonOption, is_own, run
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json
from guessbook.store.home import Home


def restore(
    to: Annotated[Path, typer.Option(metavar="DIR", help="The new data folder; must not be there, or be empty.")],
    backup: IdArgument = "latest",
    place: PlaceOption = "",
    to_position: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Up to the last commit that ends at or before position N.")
    ] = None,
    reason: ReasonOption = "",
    as_json: AsJson = False,
) -> None:
    """Make a data folder out of a backup, whole and checked, or none. Whoever wrote to the old log has to begin anew.

    Without --place it is taken from backups/ in the data folder.

    Example: guessbook backup restore latest --place /mnt/usb/guessbook --to ./guessbook-restored
    """
    words = [_found(place), backup, "--to", str(to.absolute()), "--reason", reason]
    if to_position is not None:
        words += ["--to-position", str(to_position)]
    answer = run("restore", words)
    if as_json:
        print_json(answer)
        return
    told = f"the log up to position {answer['head']} and {answer['files']} files"
    out.print(f"restored {told} into {answer['to']}", markup=False, soft_wrap=True)
    out.print(f"Start it with: guessbook up --home {answer['to']}", markup=False, soft_wrap=True)


def _found(place: str) -> str:
    """A place as the process takes it: it needs no server, which may be gone."""
    home = Home.default()
    if is_own(place):
        return place
    return f"{home.config}#{place}" if place else str(home.backups)
