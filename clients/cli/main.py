"""`guessbook`: puts the verbs together, and turns errors into exit codes. Knows no verb's meaning.

Imports neither torch nor the server, so that `guessbook --help` answers at once.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from guessbook.clients.cli.abort import abort
from guessbook.clients.cli.archive import archive
from guessbook.clients.cli.audit import audit
from guessbook.clients.cli.backup_create import create as create_backup
from guessbook.clients.cli.backup_drill import drill
from guessbook.clients.cli.backup_key import key
from guessbook.clients.cli.backup_list import list_backups
from guessbook.clients.cli.backup_prune import prune
from guessbook.clients.cli.backup_restore import restore
from guessbook.clients.cli.backup_verify import verify_backup
from guessbook.clients.cli.base_add import add
from guessbook.clients.cli.base_list import list_base_models
from guessbook.clients.cli.base_use import use
from guessbook.clients.cli.base_verify import verify_base
from guessbook.clients.cli.cancel import cancel
from guessbook.clients.cli.compare import compare
from guessbook.clients.cli.config_set import set_config
from guessbook.clients.cli.config_show import show_config
from guessbook.clients.cli.consolidate import consolidate
from guessbook.clients.cli.dashboard import dashboard
from guessbook.clients.cli.delete import delete
from guessbook.clients.cli.demo import demo
from guessbook.clients.cli.doctor import doctor
from guessbook.clients.cli.example import example
from guessbook.clients.cli.examples import examples
from guessbook.clients.cli.export import export
from guessbook.clients.cli.insights import insights
from guessbook.clients.cli.log import log
from guessbook.clients.cli.move import move
from guessbook.clients.cli.output import complain
from guessbook.clients.cli.pause import pause
from guessbook.clients.cli.priority import priority
from guessbook.clients.cli.prove import prove
from guessbook.clients.cli.queue import queue
from guessbook.clients.cli.replay import replay
from guessbook.clients.cli.report import report
from guessbook.clients.cli.restore import restore as restore_version
from guessbook.clients.cli.resume import resume
from guessbook.clients.cli.rollback import rollback
from guessbook.clients.cli.runs import runs
from guessbook.clients.cli.schedule import schedule
from guessbook.clients.cli.server import server
from guessbook.clients.cli.service_install import install
from guessbook.clients.cli.service_show import show as show_service
from guessbook.clients.cli.service_uninstall import uninstall
from guessbook.clients.cli.skip import skip
from guessbook.clients.cli.snapshot import snapshot
from guessbook.clients.cli.status import status
from guessbook.clients.cli.stop import stop
from guessbook.clients.cli.submit import submit
from guessbook.clients.cli.token_create import create
from guessbook.clients.cli.token_list import list_tokens
from guessbook.clients.cli.token_revoke import revoke
from guessbook.clients.cli.trainer import trainer
from guessbook.clients.cli.up import up
from guessbook.clients.cli.verify import verify
from guessbook.clients.cli.version_export import export as export_version
from guessbook.clients.cli.version_note import note
from guessbook.clients.cli.version_show import show
from guessbook.clients.cli.versions import versions
from guessbook.clients.errors import GuessbookError

PANELS: dict[str, list[Callable[..., None]]] = {
    "Run": [demo, up, server, trainer, dashboard],
    "Train": [submit, queue, priority, move, pause, resume, stop, cancel, skip, snapshot, schedule],
    "Look": [status, runs, examples, example, insights, report, compare, export, replay, versions],
    "Keep": [rollback, delete, restore_version, consolidate, abort],
    "Trust": [log, verify, prove, audit, archive, doctor],
}


# Verbs of several words: the first one, what it is about, and the second ones.
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "version": (
        "Look at a version, annotate it, take it elsewhere.",
        {"show": show, "note": note, "export": export_version},
    ),
    "base": (
        "The base models: register, list, verify, and choose the one that jobs train which name none.",
        {"add": add, "list": list_base_models, "use": use, "verify": verify_base},
    ),
    "config": ("Where backups go and when, and how long things are kept.", {"show": show_config, "set": set_config}),
    "token": (
        "Say who may call the server: make, list and revoke tokens.",
        {"create": create, "list": list_tokens, "revoke": revoke},
    ),
    "service": (
        "Have systemd run `guessbook up` when the machine starts.",
        {"install": install, "uninstall": uninstall, "show": show_service},
    ),
    "backup": (
        "Keep copies elsewhere: make, list, verify and restore backups.",
        {
            "create": create_backup,
            "list": list_backups,
            "verify": verify_backup,
            "restore": restore,
            "drill": drill,
            "prune": prune,
            "key": key,
        },
    ),
}


def set_home(value: str | None) -> str | None:
    if value:
        os.environ["GUESSBOOK_HOME"] = value
    return value


def set_address(value: str | None) -> str | None:
    if value:
        os.environ["GUESSBOOK_ADDRESS"] = value
    return value


HomeOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="The data folder; else $GUESSBOOK_HOME, else ./guessbook-data.",
        callback=set_home,
        is_eager=True,
        expose_value=False,
        rich_help_panel="Where",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The server; else $GUESSBOOK_ADDRESS, else what runs for the data folder.",
        callback=set_address,
        is_eager=True,
        expose_value=False,
        rich_help_panel="Where",
    ),
]


def guessbook(home: HomeOption = None, address: AddressOption = None) -> None:
    """Fine-tune a language model and keep a book of what it guessed for every example at every stage.

    Example: guessbook demo
    """


def command() -> TyperGroup:
    """All verbs. `--home` and `--address` may stand before the verb or behind it."""
    app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)
    app.callback()(guessbook)
    for panel, verbs in PANELS.items():
        for verb in verbs:
            app.command(rich_help_panel=panel)(verb)
    for name, (about, verbs_of_it) in GROUPS.items():
        several = typer.Typer(no_args_is_help=True, help=about)
        for second, verb in verbs_of_it.items():
            several.command(second)(verb)
        app.add_typer(several, name=name, rich_help_panel="Trust")
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    where = [option for option in group.params if option.name in ("home", "address")]
    for _, registered in verbs_of(group):
        registered.params.extend(where)
    return group


def verbs_of(group: TyperGroup) -> Iterator[tuple[str, TyperCommand]]:
    """Each verb and its command; one of a group as "token create"."""
    for name, registered in group.commands.items():
        if isinstance(registered, TyperGroup):
            yield from ((f"{name} {verb}", command) for verb, command in verbs_of(registered))
        elif isinstance(registered, TyperCommand):
            yield name, registered


def main() -> None:
    """The entry point: runs a verb; an expected error becomes one or two lines on stderr and an exit code."""
    try:
        command()()
    except GuessbookError as error:
        complain(str(error), error.hint)
        sys.exit(error.exit_code)
    except OSError as error:
        complain(str(error), "Check the path, its permissions and the free disk space.")
        sys.exit(GuessbookError.exit_code)


if __name__ == "__main__":
    main()
