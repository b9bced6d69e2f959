"""`guessbook backup create`."""

from typing import Annotated

import typer

from guessbook.clients.cli.backups import PlaceArgument, ReasonOption, run, size
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json
from guessbook.clients.errors import NotFound
from guessbook.store.home import Home


def create(
    place: PlaceArgument,
    reason: ReasonOption = "",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Name artifacts that are not whole here, instead of failing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the log, what it refers to and the settings to a place, and read it all back. Works beside a running server.

    Example: guessbook backup create /mnt/usb/guessbook
    """
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
    told = f"the log up to position {made['head']}, {made['files']} files, {size(made['bytes'])}"
    out.print(
        f"{made['id']}: {told}, of which {size(made['new_bytes'])} were new there and read back",
        markup=False,
        soft_wrap=True,
    )
