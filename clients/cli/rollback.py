"""`guessbook rollback`."""

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson, VersionArgument


def rollback(
    version: VersionArgument,
    reason: ReasonOption = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make an earlier version the latest again. No version is removed. A backup is made and read back first.

    Example: guessbook rollback v001 --reason "v002 forgot the capitals" --yes
    """
    guard("rollback", version, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
