"""`guessbook trainer`."""

from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.parts import become, trainer_command
from guessbook.store.home import Home


def trainer(
    name: Annotated[str, typer.Option(help="What the log calls this trainer; the host's name by default.")] = "",
    device: Annotated[
        str, typer.Option(help="The GPU to train on, as CUDA_VISIBLE_DEVICES has it: one trainer a GPU.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="End when the queue is empty.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a trainer in the foreground, until Ctrl-C. It takes jobs from the queue and trains them.

    Example: guessbook trainer --once
    """
    home = Home.default()
    extra = (["--name", name] if name else []) + (["--device", device] if device else []) + (["--once"] if once else [])
    become("trainer", [*trainer_command(home, home.address()), *extra], as_json)
