"""What every format is made from: a run's observations as they stream in, and the texts that they are about. Pure; knows no server and no file."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from ctypes import c_float
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import NamedTuple

from guessbook.proto.history_pb2 import ExampleState, Observation, Observations, Run, Snapshot


class Texts(NamedTuple):
    """What one example says. Kept for every exported example: the least that each format needs."""

    id: str
    prompt: str
    expected: str
    category: str


class Seen(NamedTuple):
    """One observation in its place."""

    example_index: int
    texts: Texts
    observation: Observation
    batch_position: int | None  # of the last visit up to the snapshot; None: not trained on yet


@dataclass(frozen=True)
class Source:
    """`parts` are in the order of the snapshots and can be gone through once: nothing here keeps them. What `texts` doesn't have is passed over."""

    run: Run
    texts: Mapping[int, Texts]  # by index, of the examples that are wanted
    parts: Iterable[Observations]
    learning_rate: Callable[[int], float | None]  # of a step; None for step 0, before training

    def snapshots(self) -> Iterator[tuple[Snapshot, Iterator[Seen]]]:
        """Each whole snapshot with its observations. The next one may be asked for when those are used up.

        One that failed, or goes on, has some of the examples only: whoever reads an export would take it for all of them.
        """
        for _, parts in groupby(self.parts, key=lambda part: part.snapshot.step):
            first = next(parts)
            if not first.snapshot.complete:
                continue
            observations = map(self._seen, chain([first], parts))  # noqa: B031 (`next` took only the first)
            yield first.snapshot, chain.from_iterable(observations)

    def trained(self) -> "Source":
        """The same without held-out examples."""
        texts = {index: texts for index, texts in self.texts.items() if index < self.run.examples}
        return replace(self, texts=texts)

    def _seen(self, part: Observations) -> Iterator[Seen]:
        places = part.batch_position or [-1] * len(part.example_index)
        for index, observation, place in zip(part.example_index, part.observations, places, strict=True):
            if index in self.texts:
                yield Seen(index, self.texts[index], observation, place if place >= 0 else None)


def number(value: float) -> float | None:
    """A single-precision number with as many digits as it takes to tell it; None where nothing was measured."""
    if not math.isfinite(value):
        return None
    for digits in (6, 7, 8):
        shown = float(f"{value:.{digits}g}")
        if c_float(shown).value == value:
            return shown
    return float(f"{value:.9g}")


def state_word(state: "ExampleState.ValueType") -> str:
    """ "not_learned", as the .proto says it; empty where there is none."""
    return ExampleState.Name(state).removeprefix("EXAMPLE_STATE_").lower() if state else ""
