"""`guessbook version export`."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, VersionArgument
from guessbook.clients.cli.output import out, print_json, waiting
from guessbook.clients.cli.version_show import named
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid, Rejected
from guessbook.proto.history_pb2 import Version


def export(
    version: VersionArgument,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A folder that isn't there yet, or is empty.")],
    as_json: AsJson = False,
) -> None:
    """Write a version as a folder that plain PEFT (or, if it is merged, transformers) loads, with metadata.json.

    Example: guessbook version export v001 --to ./my-adapter
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Invalid(f"{to} is there already", "Name a folder that isn't. Nothing was written.")
    with Guessbook() as book, waiting(f"writing {to} …") as say:
        found = named(book, version)
        if found.purged:
            raise Rejected(
                f"the files of {found.name} are gone", "A backup from before has them: guessbook backup list"
            )
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.absolute().parent) as place:
            _write(book, found, Path(place) / "version", say)
            (Path(place) / "version").replace(to)  # whole or not at all
    if as_json:
        print_json({"version": found.name, "folder": str(to), "files": [file.path for file in found.files]})
    else:
        out.print(f"{found.name} is in {to}, {len(found.files)} files", markup=False, soft_wrap=True)


def _write(book: Guessbook, version: Version, folder: Path, say: Callable[[str], None]) -> None:
    folder.mkdir()
    for file in version.files:
        say(f"writing {file.path} …")
        target = folder / file.path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise Invalid(f"{file.path} does not lie in the version's folder", "Nothing was written.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.writelines(book.download(file.sha256))
    (folder / "metadata.json").write_text(version.metadata)
