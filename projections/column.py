"""A column of numbers that grows at its end and shares its past with its copies.

Rows are sealed in chunks that never change again; a copy takes the sealed chunks by reference and copies only the open tail. So a past state of a
long run costs next to nothing to keep, and nothing to read.
"""

from array import array
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

CHUNK = 2048  # rows


class Column:
    """Rows of one type: an `array` type code such as "f" (4-byte float), "I" (4-byte unsigned) or "Q" (8-byte unsigned)."""

    __slots__ = ("_sealed", "_tail", "append", "extend")

    def __init__(self, typecode: str) -> None:
        self._sealed: list[NDArray[Any]] = []
        self._take(array(typecode))

    def _take(self, tail: "array[Any]") -> None:
        self._tail = tail
        # Rows are added at the cost of an array's own methods, one or a list of them; `seal` closes chunks now and then.
        self.append = tail.append
        self.extend = tail.fromlist

    def __getstate__(self) -> tuple[list[NDArray[Any]], str, NDArray[Any]]:
        # A view, as whoever saves many columns would hold a copy of each until the end. While it is held, no row can be added.
        typecode = self._tail.typecode
        return self._sealed, typecode, np.frombuffer(self._tail, dtype=typecode)

    def __setstate__(self, state: tuple[list[NDArray[Any]], str, NDArray[Any]]) -> None:
        self._sealed, typecode, tail = state
        self._take(array(typecode, tail.tobytes()))

    def copy(self) -> Self:
        """The same rows; what is added to either later is not in the other."""
        other = type(self)(self._tail.typecode)
        other._sealed = self._sealed.copy()
        other._take(self._tail[:])
        return other

    def truncate(self, rows: int) -> None:
        """Keeps the first rows only."""
        kept = self.rows()[:rows]
        self._sealed = []
        self._take(array(self._tail.typecode, kept.tobytes()))

    def rows(self) -> NDArray[Any]:
        """All rows, as a copy."""
        tail = np.array(self._tail, dtype=self._tail.typecode)
        return np.concatenate([*self._sealed, tail]) if self._sealed else tail

    def __getitem__(self, row: int) -> Any:
        """One row, counted from 0. Raises IndexError."""
        chunk, place = divmod(row, CHUNK)
        if chunk < 0:
            raise IndexError(row)
        if chunk < len(self._sealed):
            return self._sealed[chunk][place].item()
        return self._tail[row - len(self._sealed) * CHUNK]

    def last(self) -> Any:
        """The last row. Raises IndexError where there is none."""
        return self._tail[-1] if self._tail else self._sealed[-1][-1].item()

    def __len__(self) -> int:
        return len(self._sealed) * CHUNK + len(self._tail)

    def seal(self) -> None:
        """Closes full chunks, so that copies share them."""
        full = len(self._tail) // CHUNK * CHUNK
        if full:
            rows = np.array(self._tail, dtype=self._tail.typecode)
            self._sealed += [rows[start : start + CHUNK].copy() for start in range(0, full, CHUNK)]
            self._take(self._tail[full:])
