"""Every observation of a run, part by part, for who takes them elsewhere. Pure; knows the folds."""

from collections.abc import Iterator

import numpy as np

from guessbook.projections import views
from guessbook.projections.batch_positions import batch_positions
from guessbook.projections.book import Book
from guessbook.projections.run_table import Rows, RunTable
from guessbook.proto.history_pb2 import Observations, ReadObservationsRequest

PART = 1000  # examples
PART_CHARACTERS = 500_000  # of guesses: an answer may have a few megabytes


def observations(book: Book, request: ReadObservationsRequest) -> Iterator[Observations] | None:
    """The observations under a filter, snapshot by snapshot, by index. None: no such run. Raises Unknown at once.

    The book must not be folded on until all is read.
    """
    table = RunTable.of(book, request.filter.run)
    if table is None:
        return None
    for step in request.steps:
        table.snapshot(step)
    rows = table.filtered(request.filter)
    slots = np.flatnonzero(np.isin(table.evolution.tracked, rows))
    return _parts(table, slots, set(request.steps))


def _parts(table: RunTable, slots: Rows, steps: set[int]) -> Iterator[Observations]:
    for number, snapshot in enumerate(table.evolution.snapshots):
        if steps and snapshot.step not in steps:
            continue
        told = views.snapshot(snapshot, table.evolution)
        places = batch_positions(table.evolution, snapshot.step)
        part, characters = Observations(snapshot=told), 0
        for slot in slots[snapshot.seen[slots]].tolist():
            if len(part.observations) == PART or characters > PART_CHARACTERS:
                yield part
                part, characters = Observations(snapshot=told), 0
            part.example_index.append(int(table.evolution.tracked[slot]))
            part.observations.append(table.observation(number, slot))
            part.batch_position.append(int(places[slot]))
            characters += len(part.observations[-1].guess)
        if part.observations:
            yield part
