"""Which batches of which producer are stored, for ever. Rows are written in the transaction that stores the events.

The order of the checks matters: whether a batch is known comes before everything else, so that a retry whose first answer was lost gets that answer.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

from guessbook.store.errors import DifferentContent, FencedEpoch, OutOfOrder

NAME_LIMIT = 200  # bytes
_STATE = struct.Struct(">QQ")  # epoch, last sequence
_BATCH = struct.Struct(">QI16s")  # first position, count, digest of the events as they were sent


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
        row = transaction.get(name.encode(), db=self._states)
        return ProducerState(*_STATE.unpack(row)) if row else ProducerState(0, 0)

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
        row = transaction.get(_batch_key(name, sequence), db=self._batches)
        if row is None:
            raise OutOfOrder(f"producer {name} sent batch {sequence}; {state.last_sequence + 1} comes next")
        first_position, count, digest = _BATCH.unpack(row)
        if digest != content_digest(raw):
            raise DifferentContent(f"batch {sequence} of producer {name} is stored already, with other events")
        return StoredBatch(first_position, count)

    def add(self, transaction: Any, name: str, epoch: int, sequence: int, stored: StoredBatch, raw: bytes) -> None:
        row = _BATCH.pack(stored.first_position, stored.count, content_digest(raw))
        transaction.put(_batch_key(name, sequence), row, db=self._batches)
        self._put(transaction, name, ProducerState(epoch, sequence))

    def _put(self, transaction: Any, name: str, state: ProducerState) -> None:
        transaction.put(name.encode(), _STATE.pack(state.epoch, state.last_sequence), db=self._states)


def _batch_key(name: str, sequence: int) -> bytes:
    return name.encode() + b"\0" + sequence.to_bytes(8, "big")
