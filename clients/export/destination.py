"""Where an export goes: a file or a folder that is there whole or not at all, or standard output. Knows no format."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from guessbook.clients.errors import GuessbookError, Invalid

STANDARD_OUTPUT = "-"


@contextmanager
def file(target: str, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when everything is in it and on the disk. "-" is standard output.

    Raises Invalid where something has that name already, unless `force`.
    """
    if target == STANDARD_OUTPUT:
        with _standard_output() as opened:
            yield opened
        return
    path = Path(target)
    _refuse(path, force)
    part = _part(path)
    try:
        with part.open("xb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        _refuse(path, force)  # it took its time
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder(target: str, name: str, *, force: bool) -> Iterator[Path]:
    """A new folder `name` inside `target`, which appears when everything is in it.

    Raises Invalid for "-", and where it is there already. With `force` it takes the place of one that holds nothing but files.
    """
    if target == STANDARD_OUTPUT:
        raise Invalid("this format is a folder of files, which standard output can't take", "Name a folder: -o DIR.")
    path = Path(target) / name
    _refuse(path, force)
    part = _part(Path(target))
    part.mkdir()
    try:
        yield part
        _refuse(path, force)
        if path.exists():
            _empty(path)
        path.parent.mkdir(exist_ok=True)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # there only after a failure, whose error matters more


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # What is still in the buffer has nowhere to go: the interpreter would complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise GuessbookError("whoever reads standard output has left: the export ended early") from error


def _refuse(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise Invalid(f"{path} is there already; nothing was written", "Take another name, or --force to replace it.")


def _part(path: Path) -> Path:
    """Where it is written meanwhile: beside its place, so that it can be renamed."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _empty(path: Path) -> None:
    if not path.is_dir() or any(not one.is_file() for one in path.iterdir()):
        raise Invalid(f"{path} holds more than an export; it stays as it is", "Take another folder.")
    for one in path.iterdir():
        one.unlink()
