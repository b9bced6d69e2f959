"""`guessbook backup drill`."""

from guessbook.clients.cli.backups import IdArgument, PlaceOption, is_own, run, told
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json, waiting
from guessbook.clients.client import Guessbook


def drill(backup: IdArgument = "latest", place: PlaceOption = "", as_json: AsJson = False) -> None:
    """Restore a backup into a folder for the time being, and check the log and every file in it. It needs as much room in $TMPDIR.

    Example: guessbook backup drill latest --place /mnt/usb/guessbook
    """
    if not is_own(place):
        with Guessbook() as book, waiting("restoring it for the time being …"):
            found = book.drill_backup(backup, place)
        told(found, as_json)
        return
    answer = run("drill", [place, backup])
    if as_json:
        print_json(answer)
        return
    facts = f"the log up to position {answer['head']} and {answer['files']} files"
    out.print(f"ok: {answer['id']} gives back {facts}, in {answer['seconds']:.1f} s", markup=False, soft_wrap=True)
