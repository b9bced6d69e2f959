"""`guessbook archive`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json, waiting
from guessbook.clients.client import Guessbook

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays in the log.")]
ToOption = Annotated[
    int, typer.Option("--to-position", metavar="N", min=0, help="Up to the newest signed checkpoint at or before it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved.")]


def archive(reason: ReasonOption, to_position: ToOption = 0, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Move the log's beginning into a file of its own. It is read from there as before, and can be kept elsewhere.

    Example: guessbook archive --to-position 1000000 --reason "last year's runs"
    """
    with Guessbook() as book, waiting("writing the archive and reading it back …"):
        answer = book.archive(to_position, reason=reason, dry_run=dry_run)
    told = answer.archived
    if as_json:
        print_json(as_document(answer))
        return
    positions = f"the positions {told.first_position} to {told.last_position}"
    if dry_run:
        out.print(f"{positions} would be archived; nothing was changed", markup=False)
        return
    out.print(f"{positions} are archived in log/archive/{told.file}", markup=False, soft_wrap=True)
    out.print(f"{told.bytes} bytes, SHA-256 {told.sha256}, recorded at position {answer.position}", markup=False)
    out.print(
        "Where that file is moved away, everything behind it goes on; keep it: it is the only copy.", markup=False
    )
