"""`guessbook backup key`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.backups import run
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json


def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the key shall lie; must not be there yet.")],
    as_json: AsJson = False,
) -> None:
    """Make a key for a place whose copies are to be encrypted: name the file as its key_file in config.yaml.

    The key is in no backup. Without it such a copy can't be read: keep the file in two places that burn at different times.

    Example: guessbook backup key ~/guessbook-backup.key
    """
    answer = run("key", [str(file.absolute())])
    if as_json:
        print_json(answer)
    else:
        out.print(
            f"the key is in {answer['key']}, for its owner alone; no backup holds it", markup=False, soft_wrap=True
        )
