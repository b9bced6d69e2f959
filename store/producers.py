"""Which batches of which producer are stored, for ever. Rows are written in the transaction that stores the events.

The order of the checks matters: whether a batch is known comes before everything else, so that a retry whose first answer was lost gets that answer.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from guessbook.store.errors import DifferentContent, FencedEpoch, OutOfOrder
from guessbook.store.frame import DamagedFrame

NAME_LIMIT = 200  # bytes
# Each row ends with a checksum over its key and itself: LMDB checks no data.
_STATE = struct.Struct(">QQ")  # epoch, last sequence
_BATCH = struct.Struct(">QI16s")  # first position, count, digest of the events as they were sent
_CHECKSUM = 4


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
    """Two databases: the state of each producer, and its batches."""

    def __init__(self, states: Any, batches: Any) -> None:
        self._states = states
        self._batches = batches

    def state(self, transaction: Any, name: str) -> ProducerState:
        fields = _read(transaction, self._states, name.encode(), _STATE)
        return ProducerState(*fields) if fields else ProducerState(0, 0)

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
    if found is None:
        return None
    row, checksum = found[:-_CHECKSUM], found[-_CHECKSUM:]
    if len(row) != layout.size or zlib.crc32(key + row).to_bytes(_CHECKSUM, "big") != checksum:
        raise DamagedFrame(0, f"what the log knows of a producer is damaged, under {key!r}")
    return layout.unpack(row)
