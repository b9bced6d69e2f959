"""`guessbook backup prune`."""

from guessbook.clients.cli.guarding import DryRun, ReasonOption, Yes, guard
from guessbook.clients.cli.options import AsJson


def prune(reason: ReasonOption = "", dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove the backups that the rules of keeping let go: 7 daily, 4 weekly, 12 monthly, unless config.yaml says otherwise.

    What an operation can still need stays. A new backup is made and read back first.

    Example: guessbook backup prune --dry-run
    """
    guard("prune-backups", "", reason=reason, dry_run=dry_run, yes=yes, as_json=as_json)
