"""`guessbook doctor`."""

from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.text import Text

from guessbook.clients.cli.checks import Finding, local_checks
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json, waiting
from guessbook.clients.cli.server_checks import all_about
from guessbook.store.home import Home

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(as_json: AsJson = False) -> None:
    """Check whether everything is in order here, and say what to do where it isn't. Exits with 1 if something fails.

    Example: guessbook doctor
    """
    findings = []
    with waiting("looking …"):
        for found in _findings(Home.default()):
            findings.append(found)
            if not as_json:
                out.print(
                    Text(f"{found.level:<5}", style=STYLES[found.level]) + Text(f"{found.name:<12} {found.message}"),
                    soft_wrap=True,
                )
                if found.advice:
                    out.print(Text(f"{'':<18}{found.advice}", style="bright_black"), soft_wrap=True)
    sound = all(found.level != "fail" for found in findings)
    if as_json:
        print_json({"ok": sound, "checks": [asdict(found) for found in findings]})
    raise typer.Exit(0 if sound else 1)


def _findings(home: Home) -> Iterator[Finding]:
    for check in local_checks(home):
        yield check()
    yield from all_about(home)
