"""`guessbook service uninstall`."""

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json
from guessbook.clients.cli.service import NameOption, NowOption, SystemOption, Unit, carry_out
from guessbook.clients.errors import NotFound
from guessbook.store.home import Home


def uninstall(
    system: SystemOption = False, name: NameOption = "guessbook", now: NowOption = False, as_json: AsJson = False
) -> None:
    """Remove the systemd unit. The data folder is left as it is. With --now the service is stopped first.

    Example: guessbook service uninstall --now
    """
    unit = Unit(name, system, Home.default())
    unit.check_ours()
    if not unit.path.exists():
        raise NotFound(
            f"there is no {unit.path}", "`--system` and `--user` have a place each, and --name says which unit."
        )
    if now:
        carry_out(unit.systemctl("disable --now"), now=True)
    unit.enabled.unlink(missing_ok=True)
    unit.path.unlink()
    commands = unit.systemctl("daemon-reload") if now else unit.systemctl("stop", "daemon-reload")
    if as_json:
        print_json({"path": str(unit.path), "commands": commands, "now": now})
    else:
        out.print(f"removed {unit.path}", markup=False, soft_wrap=True)
    carry_out(commands, now)
