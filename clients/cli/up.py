"""`guessbook up`."""

from contextlib import suppress
from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.output import complain, out, print_json, waiting
from guessbook.clients.cli.parts import Parts
from guessbook.store.home import Home


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The server's port; 0 takes a free one.")] = 7430,
    dashboard_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The dashboard's port; 0 takes a free one.")
    ] = 7431,
    base_model: BaseModel = "",
    as_json: AsJson = False,
) -> None:
    """Run server, trainer and dashboard together, until Ctrl-C.

    Example: guessbook up --home ./guessbook-data
    """
    home = Home.default()
    deaths = 0
    with Parts(home) as parts:
        with waiting("starting …"):
            parts.start(port, dashboard_port, base_model)
        if as_json:
            place = {"address": parts.address, "dashboard": parts.link, "logs": str(home.logs), "home": str(home.root)}
            print_json(place)
        else:
            out.print(f"server     {parts.address}", markup=False)
            out.print(f"dashboard  {parts.link}", markup=False, soft_wrap=True)
            out.print(f"data       {home.root}", markup=False, soft_wrap=True)
            out.print(f"logs       {home.logs}", markup=False, soft_wrap=True)
            out.print("Ctrl-C stops all three. Submit something: guessbook submit FILE")
        with suppress(KeyboardInterrupt):
            for death in parts.watch():
                complain(str(death), death.hint)
                deaths += 1
    raise typer.Exit(1 if deaths else 0)
