"""`guessbook backup list`."""

from typing import Any

from rich.table import Table

from guessbook.clients.cli.backups import PlaceArgument, run, size
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json


def list_backups(place: PlaceArgument, as_json: AsJson = False) -> None:
    """List the backups at a place, the newest first.

    Example: guessbook backup list /mnt/usb/guessbook
    """
    answer = run("list", [place])
    if as_json:
        print_json(answer)
    else:
        out.print(table(answer["backups"]))


def table(backups: list[dict[str, Any]]) -> Table:
    view = listing(expand=False)
    for column in ("id", "kind", "log up to", "files", "size", "by", "reason"):
        view.add_column(column)
    for one in backups:
        if one["problem"]:
            view.add_row(one["id"], "damaged", "", "", "", "", one["problem"])
        else:
            counts = (str(one["head"]), str(one["files"]), size(one["bytes"]))
            view.add_row(one["id"], one["kind"], *counts, one["actor"], one["reason"])
    return view
