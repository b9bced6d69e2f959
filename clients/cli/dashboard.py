"""`guessbook dashboard`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.parts import become, dashboard_command
from guessbook.store.home import Home


def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 7431,
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:PORT]",
            help="Another name that a reverse proxy or a tunnel gives it. It listens on this machine alone all the same. Can be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the dashboard in the foreground, until Ctrl-C. It prints the link to open.

    The button Share on each page makes a read-only link to what it shows.

    Example: guessbook dashboard --port 7431
    """
    home = Home.default()
    become("dashboard", dashboard_command(home, home.address(), port, host_name or ()), as_json)
