"""`guessbook base add`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import show, waiting
from guessbook.clients.client import Guessbook


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    source: Annotated[str, typer.Argument(metavar="MODEL", help="A Hugging Face id, a local folder or a .gguf file.")],
    revision: Annotated[
        str, typer.Option(metavar="REVISION", help="Of a Hugging Face id: a branch, tag or commit.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Register a base model. The files of a local one are hashed, so that a change of them is noticed.

    Example: guessbook base add smollm2 ./SmolLM2-135M-Instruct.Q4_1.gguf
    """
    local = Path(source).expanduser()
    with Guessbook() as book, waiting(f"hashing {source} …"):
        answer = book.add_base_model(name, str(local.absolute()) if local.exists() else source, revision)
    show(answer, Text(answer.message), as_json)
