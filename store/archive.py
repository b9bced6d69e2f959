"""The bytes of an archive: the frames of the log's beginning, or of what follows another archive, in one file that never changes. Nothing else knows them.

    magic "GBA1"                                                                                        (numbers are big endian)
    the frames as they were stored, one behind the other
    for each frame its first position u64 and its place in the file u64; once more for where the next one would be
    first position u64 · last position u64 · frames u64 · chain hash before 32 bytes · chain hash after 32 bytes

Frames are checked by their chain when they are read, and the whole file by its SHA-256, which the log tells. So nothing here is believed: a place or a
count that was changed leads to a frame that fails its check, or to a gap.
"""

import hashlib
import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from guessbook.proto.events_pb2 import HistoryArchived
from guessbook.store import frame
from guessbook.store.artifacts import file_blocks, sync_folder
from guessbook.store.errors import HistoryAbsent
from guessbook.store.frame import DamagedFrame
from guessbook.store.merkle import Frontier, leaf_hash
from guessbook.store.recorded import leaf

MAGIC = b"GBA1"
SUFFIX = ".frames"
_FOOTER = struct.Struct(">QQQ32s32s")
_ENTRY = struct.Struct(">QQ")  # first position, place in the file


def file_name(first_position: int, last_position: int) -> str:
    return f"{first_position:012d}-{last_position:012d}{SUFFIX}"


class Archive:
    """The archive that the log tells of, in a folder. Every method but `is_there` raises HistoryAbsent, DamagedFrame."""

    def __init__(self, folder: Path, told: HistoryArchived) -> None:
        self.told = told
        self.place = folder / told.file

    @property
    def is_there(self) -> bool:
        return self.place.is_file()

    def scan(self, position: int) -> Iterator[tuple[int, bytes]]:
        """(first position, bytes) of the frames from the one that holds a position on. They follow each other, and are not checked yet."""
        with self._opened() as (handle, frames, index):
            number = self._number(handle, index, frames, position)
            expected = self._entry(handle, index, number)[0]
            if not (self.told.first_position <= expected <= position or number == 0):
                raise self._damaged(position, "its index is not as it was written")
            while number < frames:
                first_position, start = self._entry(handle, index, number)
                next_position, end = self._entry(handle, index, number + 1)
                if first_position != expected or not 0 < end - start <= frame.RAW_LIMIT * 2:
                    raise self._damaged(expected, "its index is not as it was written")
                yield first_position, os.pread(handle, end - start, start)
                expected, number = next_position, number + 1

    def get(self, first_position: int) -> bytes | None:
        """The frame that begins at a position, unchecked."""
        found = next(self.scan(first_position), None)
        return found[1] if found and found[0] == first_position else None

    def hash_before(self, first_position: int) -> bytes:
        """The chain hash of the frame before the one that begins at a position, unchecked: the link that one is checked against."""
        if first_position <= self.told.first_position:
            return self.told.chain_hash_before
        _, data = next(self.scan(first_position - 1))
        return frame.chain_hash_of(data)

    def check(self) -> None:
        """Reads the whole file: every byte is as it was when the log told of it, and every frame follows from the one before."""
        digest = hashlib.sha256()
        if not self.is_there:
            raise self._absent()
        for block in file_blocks(self.place):
            digest.update(block)
        if digest.hexdigest() != self.told.sha256:
            raise self._damaged(
                self.told.first_position, f"it has SHA-256 {digest.hexdigest()}, not {self.told.sha256}"
            )
        previous, position = self.told.chain_hash_before, self.told.first_position
        for first_position, data in self.scan(position):
            decoded = frame.decode(data, first_position, previous)
            previous, position = decoded.chain_hash, decoded.last_position + 1
        if (position, previous) != (self.told.last_position + 1, self.told.chain_hash_after):
            raise self._damaged(position, "its frames end elsewhere than the log tells")

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int, int]]:
        """(file handle, frames, place of the index)."""
        try:
            handle = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._absent() from None
        try:
            size = os.fstat(handle).st_size
            if size != self.told.bytes or size < len(MAGIC) + _FOOTER.size:
                raise self._damaged(self.told.first_position, f"it has {size:,} bytes, not {self.told.bytes:,}")
            first, last, frames, before, after = _FOOTER.unpack(os.pread(handle, _FOOTER.size, size - _FOOTER.size))
            told = self.told
            named = (told.first_position, told.last_position, told.chain_hash_before, told.chain_hash_after)
            index = size - _FOOTER.size - _ENTRY.size * (frames + 1)
            if (first, last, before, after) != named or not frames or index < len(MAGIC):
                raise self._damaged(told.first_position, "it does not end as the archive of these positions does")
            yield handle, frames, index
        finally:
            os.close(handle)

    def _number(self, handle: int, index: int, frames: int, position: int) -> int:
        """Which frame holds a position; bisects the index in the file."""
        low, high = 0, frames - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._entry(handle, index, middle)[0] <= position:
                low = middle
            else:
                high = middle - 1
        return low

    @staticmethod
    def _entry(handle: int, index: int, number: int) -> tuple[int, int]:
        first_position, start = _ENTRY.unpack(os.pread(handle, _ENTRY.size, index + number * _ENTRY.size))
        return first_position, start

    def _absent(self) -> HistoryAbsent:
        return HistoryAbsent(self.told.first_position, self.told.last_position, str(self.place), self.told.sha256)

    def _damaged(self, position: int, reason: str) -> DamagedFrame:
        return DamagedFrame(position, f"the archive {self.place}: {reason}")


def write(folder: Path, frames: Iterable[tuple[int, bytes]], before: bytes, tree: Frontier) -> HistoryArchived:
    """Puts frames, which must follow each other behind the chain hash `before`, into a file of their own, durable when this returns.

    `tree` is the Merkle tree over everything before; it grows. Returns what the log has to tell of the file, after all of it was read back. Raises
    DamagedFrame, OSError.
    """
    folder.mkdir(exist_ok=True)
    first = tree.size + 1
    handle, temporary = tempfile.mkstemp(prefix="incoming-", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            sha256, size, after = _fill(file, frames, before, tree)
            file.flush()
            os.fsync(file.fileno())
        told = HistoryArchived(
            first_position=first,
            last_position=tree.size,
            chain_hash_before=before,
            chain_hash_after=after,
            file=file_name(first, tree.size),
            sha256=sha256,
            bytes=size,
            subtrees=tree.roots,
        )
        os.chmod(temporary, 0o444)
        os.rename(temporary, folder / told.file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(folder)
    sync_folder(folder.parent)
    Archive(folder, told).check()
    return told


def _fill(
    file: IO[bytes], frames: Iterable[tuple[int, bytes]], before: bytes, tree: Frontier
) -> tuple[str, int, bytes]:
    """(SHA-256, size, chain hash of the last frame)."""
    digest, size, after = hashlib.sha256(), 0, before
    first = tree.size + 1

    def add(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += file.write(data)

    add(MAGIC)
    index = array("Q")  # where each frame begins: its position, its place
    for first_position, data in frames:
        decoded = frame.decode(data, first_position, after)
        index.extend((first_position, size))
        add(data)
        after = decoded.chain_hash
        for event in decoded.events:
            tree.append(leaf_hash(leaf(event)))
    index.extend((tree.size + 1, size))
    for number in range(0, len(index), 2):
        add(_ENTRY.pack(index[number], index[number + 1]))
    add(_FOOTER.pack(first, tree.size, len(index) // 2 - 1, before, after))
    return digest.hexdigest(), size, after
