"""`guessbook server`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.parts import become, server_command
from guessbook.store.home import Home


def server(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 7430,
    base_model: BaseModel = "",
    as_json: AsJson = False,
) -> None:
    """Run the server in the foreground, until Ctrl-C.

    Example: guessbook server --port 7430
    """
    become("server", server_command(Home.default(), port, base_model), as_json)
