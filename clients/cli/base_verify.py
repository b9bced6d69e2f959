"""`guessbook base verify`."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import NotFound


def verify_base(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a registered base model.")], as_json: AsJson = False
) -> None:
    """Compare a base model's files, on this machine, with what they were when it was registered.

    Example: guessbook base verify smollm2
    """
    with Guessbook() as book:
        found = {model.name: model for model in book.base_models().base_models}
    if name not in found:
        raise NotFound(f"there is no base model {name!r}", "`guessbook base list` lists them.")
    with waiting("hashing …"):
        problems = [problem for file in found[name].files if (problem := _problem(Path(file.path), file.sha256))]
    if as_json:
        print_json({"name": name, "files": len(found[name].files), "problems": problems})
    else:
        count = len(found[name].files)
        sound = f"{count} files are as they were" if count else "it is one of a hub: it has no files to compare"
        out.print(Text("\n".join(problems) or f"{name}: {sound}", style="red" if problems else "green"), soft_wrap=True)
    raise typer.Exit(1 if problems else 0)


def _problem(path: Path, sha256: str) -> str:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return "" if found == sha256 else f"{path} has changed: its SHA-256 is {found} and was {sha256}"
