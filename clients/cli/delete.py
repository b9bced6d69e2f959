"""`guessbook delete`."""

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson, VersionArgument


def delete(
    version: VersionArgument,
    reason: ReasonOption = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a version into the trash. Until its term is over `guessbook restore` brings it back. A backup is made and read back first.

    Example: guessbook delete v002 --reason "trained on the wrong file" --yes
    """
    guard("delete-version", version, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
