"""What a row's guess will probably go on with, and how much of that is worth checking. Knows tokens, not the model.

Prompt lookup: Saxena 2023, *Prompt Lookup Decoding*; drafts that are verified in one pass: Leviathan et al. 2023, *Fast Inference from Transformers
via Speculative Decoding*, here with greedy decoding, so that nothing is left to chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

LONGEST_MATCH, SHORTEST_MATCH = 4, 2  # tokens
MOST_LOOKED_UP = 64
SHRINKAGE = 2.0  # how many tokens of its own a row needs before it counts more than the others of its kind


@dataclass
class Record:
    """How drafts of one kind fared: tokens that were accepted, and drafts that ended with one that was not."""

    accepted: float
    failed: float

    def add(self, offered: int, accepted: int) -> None:
        self.accepted += accepted
        self.failed += accepted < offered

    @property
    def chance(self) -> float:
        return self.accepted / (self.accepted + self.failed)


@dataclass
class Experience:
    """What all rows together tell of last guesses that are repeated, and of what was looked up. It starts with a supposition."""

    repeated: Record
    looked_up: Record

    @classmethod
    def none(cls) -> "Experience":
        return cls(Record(19.0, 1.0), Record(1.0, 1.0))


class Drafts:
    """The drafts of one row: its last guess as long as it goes on like that, then what followed the same tokens elsewhere.

    `texts`: prompt, expected answer, last guess, in which matching tokens are looked for, the later ones first.
    """

    def __init__(self, last: Sequence[int], texts: Sequence[Sequence[int]], experience: Experience) -> None:
        self._last = list(last)
        self._text = [token for text in texts for token in text]
        self._known: dict[tuple[int, ...], int] = {}  # the tokens before a place in the text, and the place
        self._seen = 0
        self._experience = experience
        self._record, self._own = experience.repeated, Record(0.0, 0.0)

    @property
    def chance(self) -> float:
        """That the next token of the draft is accepted, given those before it."""
        accepted = self._own.accepted + SHRINKAGE * self._record.chance
        return accepted / (accepted + self._own.failed + SHRINKAGE * (1 - self._record.chance))

    def after(self, out: Sequence[int]) -> list[int]:
        """What may come after this beginning of the guess; empty if nothing is known."""
        if rest := self.repeat(out):
            return rest
        if self._record is self._experience.repeated:
            self._record, self._own = self._experience.looked_up, Record(0.0, 0.0)
        return self._look_up(out)

    def repeat(self, out: Sequence[int]) -> list[int]:
        """The rest of the last guess, if it began like this one."""
        return self._last[len(out) :] if self._last[: len(out)] == out else []

    def went(self, offered: int, accepted: int) -> None:
        """Tells how the last draft fared."""
        self._record.add(offered, accepted)
        self._own.add(offered, accepted)

    def _look_up(self, out: Sequence[int]) -> list[int]:
        text = [*self._text, *out]
        for place in range(max(self._seen, SHORTEST_MATCH), len(text)):
            for match in _matches(text, place):
                self._known[match] = place
        self._seen = len(text)
        for match in _matches(text, len(text)):
            if match in self._known:
                place = self._known[match]
                return text[place : place + MOST_LOOKED_UP]
        return []


def _matches(text: Sequence[int], place: int) -> Iterator[tuple[int, ...]]:
    """The tokens before a place, the longest match first."""
    for length in range(min(LONGEST_MATCH, place), SHORTEST_MATCH - 1, -1):
        yield tuple(text[place - length : place])


def best_width(drafts: Sequence[Sequence[int]], chances: Sequence[float], overhead: float) -> int:
    """To how many tokens drafts are cut so that a pass gives the most tokens for its cost.

    All rows are as wide as the widest, so a pass costs n = rows × (1 + width), and overhead × n / (n + ½) more, in tokens' worth: a token alone takes
    less of it, being a product of matrix and vector. A row gives one token and, of a draft of n tokens each accepted with chance p if those before it were,
    p + p² + … + pⁿ more.
    """
    lengths = np.array([len(draft) for draft in drafts])
    odds = np.minimum(np.array(chances), 0.999)
    widths = [
        0,
        *(width for power in range(12) for width in (2**power, 3 * 2**power // 2) if width < lengths.max()),
        lengths.max(),
    ]

    def rate(width: int) -> float:
        gained = (1 - odds ** (np.minimum(lengths, width) + 1)) / (1 - odds)
        tokens = len(lengths) * (1 + width)
        return float(gained.sum() / (tokens + overhead * tokens / (tokens + 0.5)))

    return int(max(widths, key=rate))
