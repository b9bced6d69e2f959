"""The last guess of each of a run's examples, and how an event tells new ones. Knows no snapshot and no state."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from guessbook.projections import guess_codec
from guessbook.projections.fold import Misplaced
from guessbook.projections.guess_codec import Known, UnreadableGuesses
from guessbook.projections.text_column import TextColumn
from guessbook.proto.events_pb2 import ExamplesObserved

Slots = NDArray[np.intp]
# Prompt and expected answer of the example with an index.
TextsOf = Callable[[int], tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Guesses:
    """The guess in each slot, as a row of the run's texts: a guess that stays the same is kept once."""

    texts: TextColumn
    rows: NDArray[np.uint32]

    def __getitem__(self, slot: int) -> str:
        return self.texts[int(self.rows[slot])]

    def __len__(self) -> int:
        return len(self.rows)

    def observe(self, slots: Slots, body: ExamplesObserved, texts_of: TextsOf) -> None:
        """Takes the guesses of an event, whose columns have one length; all or, raising Misplaced, none of them."""
        new = self._inflated(slots, body, texts_of) if body.HasField("guesses") else self._behind_kept(slots, body)
        self.rows[list(new)] = range(len(self.texts), len(self.texts) + len(new))
        self.texts.extend(new.values())

    def _inflated(self, slots: Slots, body: ExamplesObserved, texts_of: TextsOf) -> dict[int, str]:
        """The guesses that are not as they were, by slot."""
        places, last = slots.tolist(), dict[int, str]()

        def known(place: int) -> Known:
            slot = places[place]
            last[slot] = self[slot]
            return Known(*texts_of(body.example_index[place]), last[slot])

        try:
            told = guess_codec.decode(body.guesses, known)
        except UnreadableGuesses as unreadable:
            raise Misplaced(str(unreadable)) from None
        return {slot: guess for place, guess in told.items() if guess != last[slot := places[place]]}

    def _behind_kept(self, slots: Slots, body: ExamplesObserved) -> dict[int, str]:
        """The same of an event that has its guesses as texts, each behind what it keeps of the one before."""
        new: dict[int, str] = {}
        columns = zip(slots.tolist(), body.guess, body.kept or repeat(0), body.guessed or repeat(True), strict=False)
        for slot, rest, kept, guessed in columns:
            before = self[slot]
            if guessed and kept > len(before):
                raise Misplaced(f"it keeps {kept} characters of a guess that has {len(before)}")
            if guessed and before[:kept] + rest != before:
                new[slot] = before[:kept] + rest
        return new
