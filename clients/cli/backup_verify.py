"""`guessbook backup verify`."""

import typer

from guessbook.clients.cli import wording
from guessbook.clients.cli.backups import IdArgument, PlaceOption, is_own, run, told
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import err, out, print_json, waiting
from guessbook.clients.client import Guessbook


def verify_backup(backup: IdArgument = "latest", place: PlaceOption = "", as_json: AsJson = False) -> None:
    """Read a whole backup back and compare each byte with its SHA-256. `backup drill` also restores it.

    Example: guessbook backup verify latest --place /mnt/usb/guessbook
    """
    if not is_own(place):
        with Guessbook() as book, waiting("reading it back …"):
            found = book.verify_backup(backup, place)
        told(found, as_json)
        return
    answer = run("verify", [place, backup])
    if as_json:
        print_json(answer)
    elif answer["ok"]:
        out.print(
            f"ok: {answer['id']}, {wording.size(answer['bytes'])}, the log up to position {answer['head']}",
            markup=False,
        )
    for problem in () if as_json else answer["problems"]:
        err.print(f"damaged: {problem}", style="bold red", markup=False, soft_wrap=True)
    if answer["problems"] and not as_json:
        err.print(
            "Use another backup. To mend this place, remove the files named above and run `guessbook backup create`."
        )
    raise typer.Exit(0 if answer["ok"] else 1)
