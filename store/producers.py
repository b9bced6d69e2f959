"""Which batches of which producer are stored, for ever. Rows are written in the transaction that stores the events.

The order of the checks matters: whether a batch is known comes before everything else, so that a retry whose first answer was lost gets that answer.
"""

import hashlib
import struct
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from guessbook.store.errors import DifferentContent, FencedEpoch, OutOfOrder
from guessbook.store.frame import DamagedFrame

NAME_LIMIT = 200  # bytes
# Each row ends with a checksum over its key and itself: LMDB checks no data.
_STATE = struct.Struct(">QQ")  # epoch, last sequence
_BATCH = struct.Struct(">QI16s")  # first position, count, digest of the events as they were sent
_CHECKSUM = 4
_SEQUENCE = 9  # of a batch's key: a zero byte and the number


@dataclass(frozen=True)
class ProducerState:
    epoch: int
    last_sequence: int


@dataclass(frozen=True)
class StoredBatch:
    first_position: int
    count: int


def content_digest(raw: bytes) -> bytes:
    """16 bytes of SHA-256 over the events as the producer sent them."""
    return hashlib.sha256(raw).digest()[:16]


class Producers:
    """Two databases: the state of each producer, and its batches.

    `first_epoch`: all epochs are behind it. That of a restored log is higher than any that was ever given, so whoever has one from before is fenced.
    """

    def __init__(self, states: Any, batches: Any, first_epoch: int = 0) -> None:
        self._states = states
        self._batches = batches
        self._first_epoch = first_epoch

    def state(self, transaction: Any, name: str) -> ProducerState:
        fields = _read(transaction, self._states, name.encode(), _STATE)
        return ProducerState(*fields) if fields else ProducerState(self._first_epoch, 0)

    def names(self, transaction: Any) -> list[str]:
        return [bytes(key).decode() for key in transaction.cursor(self._states).iternext(keys=True, values=False)]

    def rows(self, transaction: Any, name: str, first: int, last: int) -> list[tuple[bytes, bytes]]:
        """The stored rows of a producer's batches from one position up to another: key and row. Raises DamagedFrame."""

        def position(sequence: int) -> int:
            fields = _read(transaction, self._batches, _batch_key(name, sequence), _BATCH)
            if fields is None:
                raise DamagedFrame(0, f"the log has lost that batch {sequence} of producer {name} is stored")
            return int(fields[0])

        sequences = range(1, self.state(transaction, name).last_sequence + 1)
        chosen = sequences[bisect_left(sequences, first, key=position) : bisect_right(sequences, last, key=position)]
        keys = [_batch_key(name, sequence) for sequence in chosen]
        rows = [(key, transaction.get(key, db=self._batches)) for key in keys]
        for key, row in rows:
            _fields(key, row, _BATCH)
        return rows

    def restore(self, transaction: Any, key: bytes, row: bytes) -> None:
        """Puts a row back that `rows` gave; each producer's in their order. Raises DamagedFrame."""
        _fields(key, row, _BATCH)
        name, sequence = batch_named(key)
        if sequence != self.state(transaction, name).last_sequence + 1:
            raise DamagedFrame(0, f"batch {sequence} of producer {name} doesn't follow the one before")
        transaction.put(key, row, db=self._batches)
        self._put(transaction, name, ProducerState(self._first_epoch, sequence))

    def join(self, transaction: Any, name: str, epoch: int) -> ProducerState:
        """Takes a producer in. Epoch 0 asks for the next one, which fences the older processes. Raises FencedEpoch."""
        state = self.state(transaction, name)
        if epoch == 0:
            state = ProducerState(state.epoch + 1, state.last_sequence)
            self._put(transaction, name, state)
        elif epoch != state.epoch:
            raise FencedEpoch(f"producer {name} has epoch {state.epoch} now; epoch {epoch} is an older process of it")
        return state

    def known(self, transaction: Any, name: str, epoch: int, sequence: int, raw: bytes) -> StoredBatch | None:
        """The first answer to a batch that is stored, or None for the next one.

        Raises FencedEpoch, DifferentContent, OutOfOrder.
        """
        state = self.state(transaction, name)
        if epoch != state.epoch:
            raise FencedEpoch(f"producer {name} has epoch {state.epoch} now; epoch {epoch} is an older process of it")
        if sequence == state.last_sequence + 1:
            return None
        fields = _read(transaction, self._batches, _batch_key(name, sequence), _BATCH)
        if fields is None:
            raise OutOfOrder(f"producer {name} sent batch {sequence}; {state.last_sequence + 1} comes next")
        first_position, count, digest = fields
        if digest != content_digest(raw):
            raise DifferentContent(f"batch {sequence} of producer {name} is stored already, with other events")
        return StoredBatch(first_position, count)

    def add(self, transaction: Any, name: str, epoch: int, sequence: int, stored: StoredBatch, raw: bytes) -> None:
        row = _BATCH.pack(stored.first_position, stored.count, content_digest(raw))
        _write(transaction, self._batches, _batch_key(name, sequence), row)
        self._put(transaction, name, ProducerState(epoch, sequence))

    def _put(self, transaction: Any, name: str, state: ProducerState) -> None:
        _write(transaction, self._states, name.encode(), _STATE.pack(state.epoch, state.last_sequence))


def _batch_key(name: str, sequence: int) -> bytes:
    return name.encode() + b"\0" + sequence.to_bytes(8, "big")


def _write(transaction: Any, database: Any, key: bytes, row: bytes) -> None:
    transaction.put(key, row + zlib.crc32(key + row).to_bytes(_CHECKSUM, "big"), db=database)


def _read(transaction: Any, database: Any, key: bytes, layout: struct.Struct) -> tuple[Any, ...] | None:
    """A row's fields, None where there is none. Raises DamagedFrame where its bytes are not what was written."""
    found = transaction.get(key, db=database)
    return None if found is None else _fields(key, found, layout)


def batch_of(key: bytes, row: bytes) -> StoredBatch:
    """What a row that `Producers.rows` gave says. Raises DamagedFrame."""
    first_position, count, _ = _fields(key, row, _BATCH)
    return StoredBatch(first_position, count)


def batch_named(key: bytes) -> tuple[str, int]:
    """Whose batch a row's key names, and its sequence number."""
    return key[:-_SEQUENCE].decode(), int.from_bytes(key[-_SEQUENCE + 1 :], "big")


def _fields(key: bytes, stored: bytes, layout: struct.Struct) -> tuple[Any, ...]:
    row, checksum = stored[:-_CHECKSUM], stored[-_CHECKSUM:]
    if len(row) != layout.size or zlib.crc32(key + row).to_bytes(_CHECKSUM, "big") != checksum:
        raise DamagedFrame(0, f"what the log knows of a producer is damaged, under {key!r}")
    return layout.unpack(row)
