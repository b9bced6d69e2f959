"""`guessbook config set`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson
from guessbook.clients.errors import Invalid


def set_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The whole new config, as YAML.")],
    reason: ReasonOption = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Replace config.yaml by a file, after a backup. What can't be is refused with the key's name.

    Example: guessbook config set new.yaml --reason "a second disk for backups" --yes
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8 text", "Save it as UTF-8. Nothing was changed.") from error
    guard("change-config", "", argument=text, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
