"""`guessbook backup create`."""

from typing import Annotated

import typer

from guessbook.clients.cli import wording
from guessbook.clients.cli.backups import PlaceOption, ReasonOption, is_own, run, told
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import NotFound
from guessbook.store.home import Home


def create(
    place: PlaceOption = "",
    reason: ReasonOption = "",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Name artifacts that are not whole here, instead of failing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the log, what it refers to and the settings, and read it all back. To a folder or a URL it goes without a server.

    Example: guessbook backup create --place /mnt/usb/guessbook
    """
    if not is_own(place):
        with Guessbook() as book, waiting("making a backup, and reading it back …"):
            answer = book.create_backup(place)
        told(answer, as_json)
        return
    home = Home.default()
    if not home.log.exists():
        raise NotFound(f"there is no log in {home.root}", "Set GUESSBOOK_HOME, or pass --home DIR.")
    words = [str(home.root), place, "--reason", reason, *(["--skip-missing"] if skip_missing else [])]
    made = run("create", words)
    if as_json:
        print_json(made)
        return
    for name in made["missing"]:
        err.print(f"not in it, since it is not whole in the data folder: artifact {name}", style="yellow", markup=False)
    facts = f"the log up to position {made['head']}, {made['files']} files, {wording.size(made['bytes'])}"
    out.print(
        f"{made['id']}: {facts}, of which {wording.size(made['new_bytes'])} were new there and read back",
        markup=False,
        soft_wrap=True,
    )
