"""`guessbook consolidate`."""

from typing import Annotated

import typer

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson


def consolidate(
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help='A version\'s name or number; "latest".')
    ] = "latest",
    reason: ReasonOption = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Merge a version's adapter into its base, prove the merge, and make it the latest version. The adapter stays.

    Needs a trainer. A backup is made and read back first; a merge that is not base and adapter is refused.

    Example: guessbook consolidate latest --reason "to be served without PEFT" --yes
    """
    guard("consolidate", version, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
