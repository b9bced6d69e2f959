"""`guessbook backup drill`."""

from guessbook.clients.cli.backups import IdArgument, PlaceArgument, run
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json


def drill(place: PlaceArgument, backup: IdArgument, as_json: AsJson = False) -> None:
    """Restore a backup into a folder for the time being, and check the log and every file in it. It needs as much room in $TMPDIR.

    Example: guessbook backup drill /mnt/usb/guessbook latest
    """
    answer = run("drill", [place, backup])
    if as_json:
        print_json(answer)
        return
    told = f"the log up to position {answer['head']} and {answer['files']} files"
    out.print(f"ok: {answer['id']} gives back {told}, in {answer['seconds']:.1f} s", markup=False, soft_wrap=True)
