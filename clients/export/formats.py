"""The formats there are, and how a selection gets into each. Knows the selection and the writers, not the command line."""

from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from guessbook.clients.export import cartography, csv_file, destination, json_file, jsonl_file, parquet_file
from guessbook.clients.export.selection import Selection
from guessbook.clients.export.source import Source


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    CARTOGRAPHY = "cartography"
    TRAINING_SET = "training-set"


class Written(NamedTuple):
    """How much an export holds. A training set has no observations."""

    examples: int
    observations: int


_FILES: dict[Format, Callable[[Source, BinaryIO], int]] = {
    Format.CSV: csv_file.write,
    Format.JSON: json_file.write,
    Format.JSONL: jsonl_file.write,
    Format.PARQUET: parquet_file.write,
}


def export(selection: Selection, format: Format, target: str, *, force: bool = False) -> Written:
    """Writes the selection to `target`: a file's name, a folder's for Dataset Cartography, or "-".

    What can't be finished leaves nothing behind. Raises Invalid where `target` is there already, unless `force`.
    """
    if format is Format.TRAINING_SET:
        with destination.file(target, force=force) as file:
            return Written(sum(1 for line in selection.lines() if file.write(line)), 0)
    if format is Format.CARTOGRAPHY:
        with destination.folder(target, cartography.FOLDER, force=force) as folder:
            source = selection.source()
            if (
                not selection.only_held_out
            ):  # dynamics are of training; exam questions among them are there only if they were asked for
                source = source.trained()
            return Written(len(source.texts), cartography.write(source, folder))
    with destination.file(target, force=force) as file:
        return write(selection, format, file)


def write(selection: Selection, format: Format, file: BinaryIO) -> Written:
    """Writes every observation of the selection to an open file. `format` is one that makes a file of them: csv, json, jsonl or parquet."""
    source = selection.source()
    return Written(len(source.texts), _FILES[format](source, file))
