"""`guessbook backup create`."""

from typing import Annotated, Any

import typer

from guessbook.clients.cli import wording
from guessbook.clients.cli.backups import PlaceOption, ReasonOption, is_own, run, told
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, NotFound
from guessbook.store.home import Home


def create(
    place: PlaceOption = "",
    reason: ReasonOption = "",
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing", help="To a folder or a URL: name artifacts that are not whole here, instead of failing."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the log, what it refers to and the settings, and read it all back, also what the place had already. To a folder or a URL it goes without a server.

    Example: guessbook backup create --place /mnt/usb/guessbook
    """
    if not is_own(place):
        if skip_missing or reason:
            raise Invalid(
                "--skip-missing and --reason are for a backup to a folder or a URL",
                "Name one with --place, or leave them out: the server's daily backup skips by itself what is nowhere whole.",
            )
        with Guessbook() as book, waiting("making a backup, and reading it back …"):
            answer = book.create_backup(place)
        told(answer, as_json)
        return
    home = Home.default()
    if not home.log.exists():
        raise NotFound(f"there is no log in {home.root}", "Set GUESSBOOK_HOME, or pass --home DIR.")
    words = [str(home.root), place, "--reason", reason, *(["--skip-missing"] if skip_missing else [])]
    made = run("create", words)
    read_back = run("verify", [place, made["id"]])
    if as_json:
        print_json({**made, "problems": read_back["problems"]})
    else:
        _tell(made)
    if read_back["problems"]:
        raise GuessbookError(
            f"{made['id']} is not whole: {'; '.join(read_back['problems'])}",
            "Remove the files that are named, or take another place, and run it again: what is missing is copied again.",
        )


def _tell(made: dict[str, Any]) -> None:
    for name in made["missing"]:
        err.print(f"not in it, since it is not whole in the data folder: artifact {name}", style="yellow", markup=False)
    facts = f"the log up to position {made['head']}, {made['files']} files, {wording.size(made['bytes'])}"
    out.print(
        f"{made['id']}: {facts}, of which {wording.size(made['new_bytes'])} were new there",
        markup=False,
        soft_wrap=True,
    )
