"""`guessbook base use`."""

from typing import Annotated

import typer

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson


def use(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a registered base model.")],
    reason: ReasonOption = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have jobs that name no base model train this one. A backup is made and read back first, then the model's files are checked.

    Example: guessbook base use smollm2 --reason "the new default" --yes
    """
    guard("switch-base-model", name, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
