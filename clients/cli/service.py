"""The systemd unit that runs `guessbook up` when the machine, or its user, starts. Knows the unit's text and where it belongs; the verbs are beside it."""

import os
import pwd
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.output import err
from guessbook.clients.errors import GuessbookError, Rejected
from guessbook.store.home import Home

MARK = "# Written by `guessbook service install`; what is to stay is best put into a drop-in: systemctl edit"
# 2 wrong options, 6 the name is another's, 7 and 8 the token is refused: starting it again changes nothing.
TEXT = """{mark}
[Unit]
{description}
{after}
[Service]
Type=exec
{user}ExecStart={command}
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2 6 7 8
# The first signal goes to `guessbook up` alone, which stops trainers, dashboard and server in this order.
KillMode=mixed
TimeoutStopSec=180
NoNewPrivileges=yes
{protection}
[Install]
WantedBy={target}
"""

SystemOption = Annotated[
    bool, typer.Option("--system/--user", help="For the whole machine, or for you alone, which needs no root.")
]
NameOption = Annotated[str, typer.Option(metavar="NAME", help="The unit's name: another one for each data folder.")]
NowOption = Annotated[bool, typer.Option("--now", help="Also run the commands of systemctl that are printed.")]


@dataclass(frozen=True)
class Unit:
    """`words`: what `guessbook up` is given besides the data folder. A system unit runs as the data folder's owner."""

    name: str
    system: bool
    home: Home
    words: Sequence[str] = ()

    @property
    def path(self) -> Path:
        if self.system:
            return Path("/etc/systemd/system") / f"{self.name}.service"
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return config / "systemd" / "user" / f"{self.name}.service"

    @property
    def enabled(self) -> Path:
        """The link by which systemd starts it; there if it is enabled."""
        return self.path.parent / f"{self._target}.wants" / self.path.name

    @property
    def _target(self) -> str:
        return "multi-user.target" if self.system else "default.target"

    def text(self) -> str:
        command = [sys.executable, "-m", "guessbook.clients.cli.main", "up", "--home", str(self.home.root), *self.words]
        return TEXT.format(
            mark=MARK,
            description=self._description,
            after="After=network.target\n" if self.system else "",  # a user's systemd has no such target
            user=f"User={_owner(self.home.root)}\n" if self.system else "",
            command=" ".join(_quoted(word) for word in command),
            # A user's systemd can protect nothing that the user may write. What is in /usr and /etc is nobody's data folder.
            protection="ProtectSystem=full\n" if self.system else "",
            target=self._target,
        )

    def systemctl(self, *tasks: str) -> list[list[str]]:
        """The commands for some tasks, each of one or more words; the unit's name belongs to all but the reload."""
        program = ["systemctl", *([] if self.system else ["--user"])]
        return [[*program, *task.split(), *([] if task == "daemon-reload" else [self.name])] for task in tasks]

    def check_ours(self) -> None:
        """Raises Rejected where a file of that name is there that somebody else wrote."""
        if self.path.exists() and not self.path.read_text(errors="replace").startswith(MARK):
            raise Rejected(
                f"{self.path} was not written by Guessbook",
                "Choose another --name, or move it away. Nothing was changed.",
            )

    def check_same_home(self) -> None:
        """Raises Rejected where a unit of that name is there for another data folder."""
        if self.path.exists() and self._description not in self.path.read_text(errors="replace").splitlines():
            raise Rejected(
                f"{self.path} runs Guessbook on another data folder than {self.home.root}",
                "Choose another --name, or replace it with --force. Nothing was changed.",
            )

    @property
    def _description(self) -> str:
        return f"Description=Guessbook on {str(self.home.root).replace('%', '%%')}"


def up_words(port: int, dashboard_port: int, trainers: int, base_model: str) -> list[str]:
    """The options of `guessbook up` that a unit is to run it with."""
    words = ["--port", str(port), "--dashboard-port", str(dashboard_port), "--trainers", str(trainers)]
    return [*words, *(["--base-model", base_model] if base_model else [])]


def carry_out(commands: Sequence[Sequence[str]], now: bool) -> None:
    """Runs commands, or says that they are to be run. Raises GuessbookError where one fails."""
    if not now:
        err.print("Then run:")
    for command in commands:
        err.print(f"  {shlex.join(command)}", markup=False, soft_wrap=True)
        if not now:
            continue
        try:
            subprocess.run(command, check=True)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            raise GuessbookError(
                f"{shlex.join(command)} failed: {error}", "The unit's file is as it was said. Run it by hand."
            ) from error


def _quoted(word: str) -> str:
    """One word of ExecStart (systemd.service(5), "Command lines"): neither specifiers nor variables are meant."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if word and not set(word) & set(" \t\"'\\;") else f'"{escaped}"'


def _owner(path: Path) -> str:
    """Who has the data folder, or would have it if it were made now."""
    while not path.exists():
        path = path.parent
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
