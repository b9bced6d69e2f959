"""`guessbook up`."""

from contextlib import suppress
from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.output import complain, out, print_json, waiting
from guessbook.clients.cli.parts import Parts
from guessbook.clients.cli.supervisor import Supervisor
from guessbook.store.home import Home

PortOption = Annotated[int, typer.Option(min=0, max=65535, help="The server's port; 0 takes a free one.")]
DashboardPortOption = Annotated[int, typer.Option(min=0, max=65535, help="The dashboard's port; 0 takes a free one.")]
TrainersOption = Annotated[int, typer.Option(min=0, help="How many trainers; of several each has a GPU of its own.")]


def up(
    port: PortOption = 7430,
    dashboard_port: DashboardPortOption = 7431,
    trainers: TrainersOption = 1,
    base_model: BaseModel = "",
    as_json: AsJson = False,
) -> None:
    """Run server, trainer and dashboard together, until Ctrl-C. What dies is started again.

    Example: guessbook up --home ./guessbook-data
    """
    home = Home.default()
    with Parts(home) as parts, suppress(KeyboardInterrupt):
        with waiting("starting …"):
            parts.start(port, dashboard_port, base_model, trainers)
        if as_json:
            place = {"address": parts.address, "dashboard": parts.link, "logs": str(home.logs), "home": str(home.root)}
            print_json(place)
        else:
            out.print(f"server     {parts.address}", markup=False)
            # The link lets in whoever has it: it is for a person's eyes, not for a journal.
            link = parts.link if out.is_terminal else f"its link is in {home.root / 'dashboard.link'}"
            out.print(f"dashboard  {link}", markup=False, soft_wrap=True)
            out.print(f"data       {home.root}", markup=False, soft_wrap=True)
            out.print(f"logs       {home.logs}", markup=False, soft_wrap=True)
            out.print("Ctrl-C stops all of them. Submit something: guessbook submit FILE")
        for death in Supervisor(parts).watch():
            complain(str(death), death.hint)
