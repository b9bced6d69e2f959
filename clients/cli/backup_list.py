"""`guessbook backup list`."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.backups import PlaceOption, is_own, run
from guessbook.clients.cli.listing import listing
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json, show
from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import Backup, ListBackupsResponse


def list_backups(place: PlaceOption = "", as_json: AsJson = False) -> None:
    """List the backups, the newest first, and say how much of 3-2-1 is met; with a folder or a URL, what is there.

    Example: guessbook backup list
    """
    if not is_own(place):
        with Guessbook() as book:
            known = book.backups()
        if place:
            kept = [one for one in known.backups if one.place == place]
            del known.backups[:]
            known.backups.extend(kept)
        show(known, covered(known), as_json)
        return
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
            counts = (str(one["head"]), str(one["files"]), wording.size(one["bytes"]))
            view.add_row(one["id"], one["kind"], *counts, one["actor"], one["reason"])
    return view


def covered(answer: ListBackupsResponse) -> RenderableType:
    """The server's backups, and what they are worth."""
    view = listing(expand=False)
    for column in ("id", "kind", "place", "log up to", "size", "read back"):
        view.add_column(column)
    for one in answer.backups:
        view.add_row(one.id, one.kind, Text(one.place), str(one.head), wording.size(one.bytes), _state(one))
    coverage = answer.coverage
    lines = [Text(coverage.sentence, style="green" if coverage.met else "yellow")]
    if coverage.advice:
        lines.append(Text(coverage.advice))
    return Group(view, *lines) if answer.backups else Group(Text("There is no backup yet."), *lines)


def _state(one: Backup) -> Text:
    if not one.sound:
        return Text(wording.one_line(one.problem) or "not yet", style="red")
    if one.missing:
        return Text(f"lacks {len(one.missing)} files that were not whole", style="yellow")
    return Text(wording.moment(one.verified_at_us), style="green")
