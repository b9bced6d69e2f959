"""Guesses as the fold takes them in: told by their example's texts, all of an event or none."""

from dataclasses import replace

import numpy as np
from made_events import RUN, beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.projections.guess_codec import Known, encode
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event

HELD_OUT = "f" * 64
SUBJECT = f"run/{RUN}"
TEXTS = [Known("What is 0+0?", "0"), Known("What is 1+1?", "2"), Known("How many legs has a spider?", "It has eight.")]


def book_of(*events: Event) -> Book:
    """Two examples that are trained on and one that is held out, and these events."""
    before = beginning(2)
    started = before.pop().run_started
    started.held_out, started.held_out_examples = HELD_OUT, 1
    held_out = e.ExamplesRegistered(id=["h"], prompt=[TEXTS[2].prompt], expected=[TEXTS[2].expected], category=[""])
    before += [
        Event(subject=f"dataset/{HELD_OUT}", dataset_registered=e.DatasetRegistered(sha256=HELD_OUT, examples=1)),
        Event(subject=f"dataset/{HELD_OUT}", examples_registered=held_out),
        Event(subject=SUBJECT, run_started=started),
    ]
    return book_fold.fold(numbered([*before, *events]))


def observed(step: int, known: list[Known], guesses: list[str | None]) -> list[Event]:
    count = len(known)
    body = e.ExamplesObserved(
        step=step,
        example_index=range(count),
        guesses=encode(zip(known, guesses, strict=True)),
        measures=np.array([[2.5] * count, [0.5] * count, [0.25] * count], "<f2").tobytes(),
        correct=[False] * count,
        guessed=[guess is not None for guess in guesses],
    )
    started = e.SnapshotStarted(step=step, examples=count)
    return [Event(subject=SUBJECT, snapshot_started=started), Event(subject=SUBJECT, examples_observed=body)]


def guesses_in(book: Book) -> list[str]:
    last = book.evolution.by_run[RUN].snapshots[-1]
    return [last.guess[slot] for slot in range(len(last.guess))]


FIRST: list[str | None] = ["What is 0+0? It is 1", "2", "A spider has eight"]
SECOND: list[str | None] = ["0", None, "It has eight."]
KNOWN = [replace(texts, last=guess) for texts, guess in zip(TEXTS, FIRST, strict=True)]


def test_guesses_are_told_by_the_texts_of_their_examples_held_out_ones_too() -> None:
    book = book_of(*observed(0, TEXTS, FIRST), *observed(5, KNOWN, SECOND))
    assert not book.misplaced
    assert guesses_in(book) == ["0", "2", "It has eight."]
    snapshot = book.evolution.by_run[RUN].snapshots[-1]
    assert snapshot.loss.tolist() == [2.5] * 3
    assert snapshot.token_accuracy.tolist() == [0.5] * 3
    assert snapshot.confidence.tolist() == [0.25] * 3


def test_a_forked_book_reads_on() -> None:
    book = book_of(*observed(0, TEXTS, FIRST)).fork()
    for event in numbered(observed(5, KNOWN, SECOND), start=book.position + 1):
        book = book_fold.apply(book, event)
    assert not book.misplaced
    assert guesses_in(book) == ["0", "2", "It has eight."]


def test_a_guess_that_comes_back_whole_and_is_the_same_is_kept_once() -> None:
    book = book_of(*observed(0, TEXTS, FIRST), *observed(5, TEXTS, FIRST))
    assert guesses_in(book) == FIRST
    assert list(book.evolution.by_run[RUN].texts) == ["", *FIRST]


def test_an_event_that_was_told_by_other_texts_changes_nothing() -> None:
    others = [replace(known, last="Something else that was never said") for known in KNOWN]
    book = book_of(*observed(0, TEXTS, FIRST), *observed(5, others, ["Something else", None, "never said"]))
    assert book.misplaced_count == 1
    assert book.misplaced[0][1].startswith("its guesses")
    assert guesses_in(book) == FIRST
    assert not book.evolution.by_run[RUN].snapshots[-1].seen.any()


def test_measures_that_are_no_three_columns_change_nothing() -> None:
    started, event = observed(0, TEXTS, FIRST)
    event.examples_observed.measures += b"\0"
    book = book_of(started, event)
    assert [reason for _, reason in book.misplaced] == [
        "its measures have 19 bytes, which are not three columns of 3 numbers"
    ]
    assert guesses_in(book) == [""] * 3
