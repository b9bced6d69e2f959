"""`guessbook dashboard`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.parts import become, dashboard_command
from guessbook.store.home import Home


def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 7431,
    as_json: AsJson = False,
) -> None:
    """Run the dashboard in the foreground, until Ctrl-C. It prints the link to open.

    Example: guessbook dashboard --port 7431
    """
    home = Home.default()
    become("dashboard", dashboard_command(home, home.address(), port), as_json)
