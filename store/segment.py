"""The bytes of a segment: rows of the log's tables, as they are stored, for a backup. Nothing else knows them.

    magic "GBS1" · then for each row: table u8 · size of the key u16 · size of the value u32 · key · value      (big endian)

First the frames, then the producers' rows of the same positions; both carry checksums of their own. Frames never change, so neither does a segment that
is full: the next backup takes it over without reading it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from guessbook.store import frame
from guessbook.store.frame import DamagedFrame, Frame
from guessbook.store.index import position_key, position_of
from guessbook.store.reader import LogReader

BYTES = 4 * 1024 * 1024  # of frames, after which one is full
MAGIC = b"GBS1"
_ROW = struct.Struct(">BHI")
_FRAME, _BATCH = 1, 2


@dataclass
class Rows:
    """The rows of the frames from one position to another. `refers`: artifacts (SHA-256) that events name, and whether the last one says it is there."""

    first: int
    last: int
    chain_hash: bytes
    data: bytes
    refers: dict[str, bool]


def segments(reader: LogReader, position: int, last: int | None = None) -> Iterator[Rows]:
    """The log from a frame's first position on, up to a frame's last or the end, in segments. Raises DamagedFrame, lmdb.Error."""
    data, refers, first = bytearray(MAGIC), dict[str, bool](), position
    found = None
    for found, stored in reader.stored_frames(position):
        data += _row(_FRAME, position_key(found.first_position), stored)
        refers |= references(found)
        if len(data) >= BYTES or found.last_position == last:
            yield _ended(reader, first, found, data, refers)
            data, refers, first = bytearray(MAGIC), {}, found.last_position + 1
        if found.last_position == last:
            return
    if found and first <= found.last_position:
        yield _ended(reader, first, found, data, refers)


def references(found: Frame) -> dict[str, bool]:
    """The artifacts that a frame's events name, and whether each is there after them."""
    refers: dict[str, bool] = {}
    for part in found.message.parts:
        for event in part.events.events:
            body = event.WhichOneof("body")
            if body == "dataset_registered":
                refers[event.dataset_registered.sha256] = True
            elif body == "report_created":
                refers[event.report_created.sha256] = True
            elif body == "version_created":
                refers |= dict.fromkeys([file.sha256 for file in event.version_created.files], True)
            elif body == "version_purged":
                refers |= dict.fromkeys([file.sha256 for file in event.version_purged.files], False)
    return refers


def parse(data: bytes) -> tuple[list[tuple[int, bytes]], list[tuple[bytes, bytes]]]:
    """The frames by first position, and the producers' rows, unchecked. Raises DamagedFrame where it is no segment."""
    if not data.startswith(MAGIC):
        raise DamagedFrame(0, "a segment of the backup does not begin as one does")
    frames: list[tuple[int, bytes]] = []
    batches: list[tuple[bytes, bytes]] = []
    at = len(MAGIC)
    while at < len(data):
        if len(data) - at < _ROW.size:
            raise DamagedFrame(0, "a segment of the backup ends in the middle of a row")
        table, key_size, size = _ROW.unpack_from(data, at)
        middle = at + _ROW.size + key_size
        key, value = data[at + _ROW.size : middle], data[middle : middle + size]
        at = middle + size
        if at > len(data) or table not in (_FRAME, _BATCH):
            raise DamagedFrame(0, "a segment of the backup holds a row that can't be read")
        if table == _FRAME:
            frames.append((position_of(key), value))
        else:
            batches.append((key, value))
    return frames, batches


def chain(frames: list[tuple[int, bytes]], after: int, chain_hash: bytes) -> Iterator[tuple[Frame, bytes]]:
    """Frames in their order, each checked against the one before. Raises DamagedFrame."""
    for first_position, data in frames:
        if first_position != after + 1:
            raise DamagedFrame(after + 1, f"it is missing; the next one begins at {first_position}")
        found = frame.decode(data, first_position, chain_hash)
        yield found, data
        after, chain_hash = found.last_position, found.chain_hash


def _ended(reader: LogReader, first: int, last: Frame, data: bytearray, refers: dict[str, bool]) -> Rows:
    for key, row in reader.stored_batches(first, last.last_position):
        data += _row(_BATCH, key, row)
    return Rows(first, last.last_position, last.chain_hash, bytes(data), refers)


def _row(table: int, key: bytes, value: bytes) -> bytes:
    return _ROW.pack(table, len(key), len(value)) + key + value
