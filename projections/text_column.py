"""Columns of texts that grow at their end and share their past with their copies, and that can be searched as a whole.

Texts are kept as UTF-8, 4,096 to a chunk that never changes again: a Python string costs fifty bytes more than what it says, and a book has millions of
them. Knows no fold.
"""

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from guessbook.projections.column import Column

CHUNK = 4096  # rows
_BETWEEN = b"\xff"  # in no UTF-8, so that nothing is found across two texts

Flags = NDArray[np.bool_]


class TextChunk:
    """Texts that don't change any more."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._bytes, self._starts = _joined(text.encode() for text in texts)

    def __getitem__(self, row: int) -> str:
        return self._bytes[self._starts[row] : self._starts[row + 1] - len(_BETWEEN)].decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self._starts) - 1))

    def mentions(self, folded: bytes) -> Flags:
        """Which texts contain some case-folded UTF-8."""
        return self._search.mentions(folded)

    def __getstate__(self) -> dict[str, object]:
        return {"_starts": self._starts, "_bytes": self._bytes}  # what a search needs can be made again

    @cached_property
    def _search(self) -> "_Search":
        if self._bytes.replace(_BETWEEN, b"").isascii():
            return _Search(self._bytes.lower(), self._starts)
        return _Search(*_joined(text.casefold().encode() for text in self))


def _joined(texts: Iterable[bytes]) -> "tuple[bytes, array[int]]":
    """The texts one behind the other, and where each begins and the one behind the last would."""
    listed = list(texts)
    return _BETWEEN.join(listed), array("Q", accumulate((len(text) + len(_BETWEEN) for text in listed), initial=0))


class _Search:
    """A chunk's texts with their letter case folded; made when it is first searched."""

    def __init__(self, folded: bytes, starts: "array[int]") -> None:
        self._bytes = np.frombuffer(folded, dtype=np.uint8)
        self._bounds = np.array(starts, dtype=np.int64)
        self._frequency = np.bincount(self._bytes, minlength=256)

    def mentions(self, wanted: bytes) -> Flags:
        """Which texts contain it. Looks for its rarest byte first, then at that byte's neighbours."""
        last = len(self._bytes) - len(wanted)
        rarest = min(range(len(wanted)), key=lambda place: self._frequency[wanted[place]])
        starts = np.flatnonzero(self._bytes == wanted[rarest]) - rarest
        starts = starts[(starts >= 0) & (starts <= last)]
        for place, byte in enumerate(wanted):
            if place != rarest:
                starts = starts[self._bytes[starts + place] == byte]
        return np.diff(np.searchsorted(starts, self._bounds)) > 0


class TextColumn:
    """Rows of text. What is added to a copy is not in the original, nor the other way round; rows never change."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sealed: list[TextChunk] = []
        self._tail: list[str] = []
        self.extend(texts)

    def __len__(self) -> int:
        return len(self._sealed) * CHUNK + len(self._tail)

    def __getitem__(self, row: int) -> str:
        chunk, place = divmod(row, CHUNK)
        if chunk < 0:
            raise IndexError(row)
        if chunk < len(self._sealed):
            return self._sealed[chunk][place]
        return self._tail[row - len(self._sealed) * CHUNK]

    def __iter__(self) -> Iterator[str]:
        for chunk in self._sealed:
            yield from chunk
        yield from self._tail

    def extend(self, texts: Iterable[str]) -> None:
        self._tail.extend(texts)
        while len(self._tail) >= CHUNK:
            self._sealed.append(TextChunk(self._tail[:CHUNK]))
            self._tail = self._tail[CHUNK:]

    def copy(self) -> "TextColumn":
        """The same rows. The chunks are shared."""
        other = TextColumn()
        other._sealed, other._tail = self._sealed.copy(), self._tail.copy()
        return other

    def mentions(self, wanted: str) -> Flags:
        """Which rows contain a text, letter case ignored. One flag per row; an empty text is in every row."""
        if not wanted:
            return np.ones(len(self), dtype=np.bool_)
        folded = wanted.casefold()
        tail = np.array([folded in text.casefold() for text in self._tail], dtype=np.bool_)
        return np.concatenate([*(chunk.mentions(folded.encode()) for chunk in self._sealed), tail])


class CodedColumn:
    """Rows of text of which most are the same few: each text is kept once, and a row is its number."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._code_of: dict[str, int] = {}
        self._codes = Column("I")

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, row: int) -> str:
        code: int = self._codes[row]
        return self._texts[code]

    def __iter__(self) -> Iterator[str]:
        return (self._texts[code] for code in self._codes.rows())

    def extend(self, texts: Iterable[str]) -> None:
        for text in texts:
            if text not in self._code_of:
                self._code_of[text] = len(self._texts)
                self._texts.append(text)
            self._codes.append(self._code_of[text])
        self._codes.seal()

    def copy(self) -> "CodedColumn":
        """The same rows; what is added to either later is not in the other."""
        other = CodedColumn()
        other._texts, other._code_of, other._codes = self._texts.copy(), self._code_of.copy(), self._codes.copy()
        return other

    def distinct(self) -> list[str]:
        """Every text there is, in the order they first came."""
        return self._texts.copy()

    def codes(self) -> NDArray[np.int64]:
        """Each row as the place of its text in `distinct`."""
        return self._codes.rows().astype(np.int64)
