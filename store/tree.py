"""The Merkle tree over a log's events: leaf i is the event at position i + 1, as it is served, serialised deterministically.

The roots of complete subtrees of 1024 leaves are kept in a file, so that nothing is hashed twice. It is a cache: it can be deleted at any time. Who checks a
log must not use it (store/verify.py doesn't): it remembers what the log was.
"""

import binascii
import fcntl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from guessbook.proto.events_pb2 import HistoryArchived
from guessbook.store.merkle import EMPTY_ROOT, Frontier, Span, leaf_hash, middle, node_hash
from guessbook.store.reader import LogReader
from guessbook.store.recorded import leaf

CHUNK = 1024  # leaves of a subtree whose root is kept; a power of two
_HASH = 32
_ENTRY = _HASH + 4  # a root and its CRC-32


class Tree:
    """The tree over a log as it was when its reader was opened. Brings the cache up to date first. Raises DamagedFrame."""

    def __init__(self, reader: LogReader, cache: Path) -> None:
        last = reader.last_frame()
        self._reader = reader
        self.size = last.last_position if last else 0
        self.chain_hash = last.chain_hash if last else reader.genesis_hash
        self._leaf_hashes = lru_cache(maxsize=4)(self._hash_leaves)
        self._absent = next((one for one in reversed(reader.archives()) if not one.is_there), None)
        if self._absent:
            return
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"merkle-{reader.log_id}").open("a+b") as file:
            fcntl.flock(
                file, fcntl.LOCK_EX
            )  # processes that bring it up to date at the same time would mix their entries
            self._chunks = self._load(file)
            self._grow(file)

    def root(self, size: int) -> bytes:
        """The root of the tree over the first `size` events. Raises HistoryAbsent."""
        if self._absent and size >= self._absent.told.last_position:
            return self._root_behind(self._absent.told, size)
        return self.hash((0, size)) if size else EMPTY_ROOT

    def hash(self, span: Span) -> bytes:
        """The hash of a subtree. Raises HistoryAbsent: what was archived and moved away can't be hashed."""
        if self._absent:
            self._absent.check()
        start, end = span
        chunk = start // CHUNK
        if end - start == CHUNK:
            return self._chunks[chunk]
        if end - start < CHUNK:
            leaf_hashes = self._leaf_hashes(chunk, min((chunk + 1) * CHUNK, self.size))
            return Frontier(leaf_hashes[start - chunk * CHUNK : end - chunk * CHUNK]).root()
        split = middle(start, end)
        return node_hash(self.hash((start, split)), self.hash((split, end)))

    def _root_behind(self, told: HistoryArchived, size: int) -> bytes:
        """From what the log tells of the tree at the end of what isn't here."""
        tree = Frontier.of(told.last_position, told.subtrees)
        if size > tree.size:
            for event in self._reader.events(tree.size + 1, size):
                tree.append(leaf_hash(leaf(event)))
        return tree.root()

    def _hash_leaves(self, chunk: int, end: int) -> list[bytes]:
        return [leaf_hash(leaf(event)) for event in self._reader.events(chunk * CHUNK + 1, end)]

    def _load(self, file: BinaryIO) -> list[bytes]:
        """The kept roots, unless they are damaged or those of another history: then they are dropped."""
        file.seek(0)
        chunks = list(_entries(file.read()))
        known = len(chunks) <= self.size // CHUNK
        if known and chunks:
            last = len(chunks) - 1
            # Every later event of another history has another recorded time: the last subtree tells.
            known = Frontier(self._hash_leaves(last, len(chunks) * CHUNK)).root() == chunks[last]
        if not known:
            chunks = []
        file.truncate(len(chunks) * _ENTRY)
        return chunks

    def _grow(self, file: BinaryIO) -> None:
        subtree, full = Frontier(), self.size // CHUNK * CHUNK
        for event in self._reader.events(len(self._chunks) * CHUNK + 1, full):
            subtree.append(leaf_hash(leaf(event)))
            if subtree.size == CHUNK:
                self._chunks.append(subtree.root())
                file.write(self._chunks[-1] + _checksum(self._chunks[-1]))
                subtree = Frontier()


def _entries(data: bytes) -> Iterator[bytes]:
    """The roots up to the first entry that is torn or damaged."""
    for start in range(0, len(data) - _ENTRY + 1, _ENTRY):
        root, checksum = data[start : start + _HASH], data[start + _HASH : start + _ENTRY]
        if checksum != _checksum(root):
            return
        yield root


def _checksum(root: bytes) -> bytes:
    return binascii.crc32(root).to_bytes(4, "big")
