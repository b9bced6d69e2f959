"""`guessbook service install`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.output import out, print_json
from guessbook.clients.cli.service import NameOption, NowOption, SystemOption, Unit, carry_out, up_words
from guessbook.clients.cli.up import DashboardPortOption, PortOption, TrainersOption
from guessbook.store.home import Home


def install(
    port: PortOption = 7430,
    dashboard_port: DashboardPortOption = 7431,
    trainers: TrainersOption = 1,
    base_model: BaseModel = "",
    system: SystemOption = False,
    name: NameOption = "guessbook",
    now: NowOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also replace a unit that runs on another data folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a systemd unit that runs `guessbook up`, and say how to enable it.

    Example: guessbook service install --user
    """
    unit = Unit(name, system, Home.default(), up_words(port, dashboard_port, trainers, base_model))
    unit.check_ours()
    if not force:
        unit.check_same_home()
    unit.path.parent.mkdir(parents=True, exist_ok=True)
    unit.path.write_text(unit.text())
    commands = unit.systemctl("daemon-reload", "enable --now")
    if as_json:
        print_json({"path": str(unit.path), "commands": commands, "now": now})
    else:
        out.print(f"wrote {unit.path}", markup=False, soft_wrap=True)
    carry_out(commands, now)
    if not system and not as_json:
        out.print(
            "It runs while you are logged in; from the machine's start on with: loginctl enable-linger", soft_wrap=True
        )
