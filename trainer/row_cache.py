"""Keys and values of rows of tokens that go on at different lengths. Knows tensors, not tokens and not what is drafted.

A row's tokens lie in its first columns, without gaps: column and position are the same. New tokens are fed behind the longest row; those that
are kept are then moved to their row's end, and the rest is masked, or overwritten.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

SPARE = 64  # columns of room made at a time


class RowLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer. `keys` and `values` are the used columns of rooms that are larger, so that a new column costs no copy of all the others."""

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rooms: list[Tensor] = []  # of keys and of values, shape (rows, heads, columns, width of a head)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.hold([key_states, value_states], key_states.shape[2])
        else:
            used = self.get_seq_length()
            new = (key_states, value_states)
            self.hold(
                [_put(room, used, states) for room, states in zip(self._rooms, new, strict=True)],
                used + new[0].shape[2],
            )
        return self.keys, self.values

    def hold(self, rooms: list[Tensor], columns: int) -> None:
        self._rooms = rooms
        self.keys, self.values = (room[:, :, :columns] for room in rooms)

    def settle(self, fed: int, lengths: Tensor, columns: int) -> None:
        """Moves the last `fed` columns of each row to its end, which is at `lengths`; `columns` stay in use."""
        used = self.get_seq_length()
        places = (lengths[:, None] + torch.arange(fed, device=lengths.device))[:, None, :, None]
        for room in self._rooms:
            new = room[:, :, used - fed : used].clone()
            room.scatter_(2, places.expand_as(new), new)
        self.hold(self._rooms, columns)

    def select(self, rows: Tensor, columns: int) -> "RowLayer":
        return self._made([states[rows, :, :columns] for states in (self.keys, self.values)])

    def joined(self, others: Sequence["RowLayer"]) -> "RowLayer":
        """The rows of this one and then those of the others."""
        layers = [self, *others]
        return self._made([_stack([layer.keys for layer in layers]), _stack([layer.values for layer in layers])])

    def _made(self, states: list[Tensor]) -> "RowLayer":
        layer = RowLayer()
        layer.lazy_initialization(*states)
        layer.hold(states, states[0].shape[2])
        return layer


class RowCache(DynamicCache):
    """The key-value cache of a batch of rows. Given to a model's forward it grows by what is fed."""

    layers: list[RowLayer]  # type: ignore[assignment]

    def __init__(self, layers: Sequence[RowLayer] = ()) -> None:
        super().__init__()
        self.layer_class_to_replicate = RowLayer
        self.layers = list(layers)

    def settle(self, fed: int, lengths: Tensor, columns: int) -> None:
        """After `fed` tokens a row went through the model: they follow each row's `lengths` tokens, shape (rows,)."""
        for layer in self.layers:
            layer.settle(fed, lengths, columns)

    def select(self, rows: Tensor, columns: int) -> "RowCache":
        """A copy of these rows' first columns."""
        return RowCache([layer.select(rows, columns) for layer in self.layers])

    @classmethod
    def joined(cls, caches: Sequence["RowCache"]) -> "RowCache":
        """One cache with the rows of all of them, in order."""
        first, *others = caches
        if not others:
            return first
        return cls([layer.joined(rest) for layer, *rest in zip(*(cache.layers for cache in caches), strict=True)])


def _put(room: Tensor, used: int, new: Tensor) -> Tensor:
    """The new columns behind the used ones, in a larger room if this one is full."""
    end = used + new.shape[2]
    if end > room.shape[2]:
        larger = room.new_zeros(*room.shape[:2], end + SPARE, room.shape[3])
        larger[:, :, :used] = room[:, :, :used]
        room = larger
    room[:, :, used:end] = new
    return room


def _stack(states: Sequence[Tensor]) -> Tensor:
    """Rows of different numbers of columns below each other, filled up with zeros, which are masked."""
    rows = sum(one.shape[0] for one in states)
    stacked = states[0].new_zeros(rows, states[0].shape[1], max(one.shape[2] for one in states), states[0].shape[3])
    begin = 0
    for one in states:
        stacked[begin : begin + one.shape[0], :, : one.shape[2]] = one
        begin += one.shape[0]
    return stacked
