"""`guessbook service show`."""

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.output import print_json
from guessbook.clients.cli.service import NameOption, SystemOption, Unit, up_words
from guessbook.clients.cli.up import DashboardPortOption, PortOption, TrainersOption
from guessbook.store.home import Home


def show(
    port: PortOption = 7430,
    dashboard_port: DashboardPortOption = 7431,
    trainers: TrainersOption = 1,
    base_model: BaseModel = "",
    system: SystemOption = False,
    name: NameOption = "guessbook",
    as_json: AsJson = False,
) -> None:
    """Print the systemd unit that `service install` would write. Nothing is written.

    Example: guessbook service show --system
    """
    unit = Unit(name, system, Home.default(), up_words(port, dashboard_port, trainers, base_model))
    if as_json:
        print_json({"path": str(unit.path), "text": unit.text()})
    else:
        typer.echo(unit.text(), nl=False)
