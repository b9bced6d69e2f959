"""Trajectories, exports and comparisons asked of a real server, and read back from the log alone."""

import asyncio
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_events import RUN, beginning, snapshot, step
from server_process import ServerProcess

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.clients.example_page import example_page
from guessbook.projections.guess_codec import Known, encode
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import GUESS_FORM_SAME, DeflatedGuesses, Event
from guessbook.store.log import Append, Log

GUESSES = [
    ["The answer is 7.", "Rom"],
    ["The answer is 8.", "Rome"],
    ["The answer is 8.", "Rome"],
    ["Eight", "Rome, I think"],
]


def _told() -> list[Event]:
    """Two examples at the steps 0, 10, 20 and 30, in turn as what each guess keeps of the one before and deflated; e0 is only measured at 20."""
    events = beginning(2)
    texts = [Known(*pair) for pair in zip(*_texts(events[1]), strict=True)]
    before = ["", ""]
    for number, guesses in enumerate(GUESSES):
        part = snapshot(10 * number, [4.0 - number, 3.0], [False, number > 0])
        observed = part[1].examples_observed
        if number % 2:
            known = [replace(text, last=last) for text, last in zip(texts, before, strict=True)]
            observed.guesses.CopyFrom(encode(zip(known, guesses, strict=True)))
            del observed.guess[:]
        else:
            kept = [_same(one, other) for one, other in zip(before, guesses, strict=True)]
            observed.kept.extend(kept)
            observed.guess[:] = [guess[keep:] for guess, keep in zip(guesses, kept, strict=True)]
        if number == 2:
            observed.guessed.extend([False, True])
            observed.guess[0], observed.kept[0] = "", 0
        events += [*part, step(10 * number + 1, examples=[1, 0], losses=[2.0, 1.0])]
        before = guesses
    return events


def _texts(registered: Event) -> tuple[list[str], list[str]]:
    return list(registered.examples_registered.prompt), list(registered.examples_registered.expected)


def _same(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on a log that holds the run."""
    process = ServerProcess(tmp_path / "home")
    log = Log(process.home.log)
    for event in _told():
        log.commit([Append([event], actor="test")], now_us=1)
    log.close()
    with process:
        yield process


def test_a_trajectory_is_read_from_its_own_events_alone(book: Guessbook) -> None:
    """What an observation names as its position holds it, with the example's texts and what stands in the positions before it."""
    prompts, expected = _texts(next(event for event in book.read(1) if event.HasField("examples_registered")))
    for index, name in enumerate(("e0", "e1")):
        story = book.trajectory(RUN, name)
        guess = ""
        for seen in story.observations:
            (event,) = book.read(seen.position, limit=1)
            assert event.position == seen.position
            body = event.examples_observed
            place = list(body.example_index).index(index)
            if body.HasField("guesses"):
                guess = _alone(body.guesses, place, Known(prompts[index], expected[index], guess))
            elif not body.guessed or body.guessed[place]:
                guess = guess[: body.kept[place]] + body.guess[place]
            assert (body.step, guess) == (seen.step, seen.guess)
        assert [seen.guess for seen in story.observations] == [guesses[index] for guesses in GUESSES]


def _alone(guesses: DeflatedGuesses, place: int, known: Known) -> str:
    """One guess of an event, without knowing anything of its other examples: where their streams end can be told all the same."""
    if guesses.form[place] == GUESS_FORM_SAME:
        return known.last or ""
    rest = guesses.streams
    for _ in range(sum(form != GUESS_FORM_SAME for form in guesses.form[:place])):
        other = zlib.decompressobj(-15, bytes(32 * 1024))
        other.decompress(rest)
        rest = other.unused_data
    dictionary = f"{known.prompt}{known.expected}{known.last}"
    return zlib.decompressobj(-15, dictionary.encode()).decompress(rest).decode()


def test_every_observation_is_read_once_snapshot_by_snapshot(server: ServerProcess, book: Guessbook) -> None:
    parts = list(book.observations(RUN))
    assert [part.snapshot.step for part in parts] == [0, 10, 20, 30]
    assert [list(part.example_index) for part in parts] == [[0, 1]] * 4
    stories = [book.trajectory(RUN, f"#{index}").observations for index in (0, 1)]
    assert [[part.observations[place] for part in parts] for place in (0, 1)] == [list(story) for story in stories]
    chosen = list(book.observations(RUN, steps=[10, 30], states=[h.EXAMPLE_STATE_LEARNED]))
    assert [(part.snapshot.step, list(part.example_index)) for part in chosen] == [(10, [1]), (30, [1])]

    async def asynchronous() -> list[h.Observations]:
        async with AsyncGuessbook(server.address, server.home.token) as remote:
            return [part async for part in remote.observations(RUN)]

    assert asyncio.run(asynchronous()) == parts


def test_a_summary_of_now_and_of_a_past_point(server: ServerProcess, book: Guessbook) -> None:
    """e0 is wrong throughout; e1 is wrong at 0 and right since 10."""
    now = book.summarise_examples(RUN, since_step=0, cells=4)
    assert (now.matching, now.total, now.position) == (2, 2, book.head().position)
    assert {one.change: one.count for one in now.changes if one.count} == {h.CHANGE_FIXED: 1, h.CHANGE_STILL_WRONG: 1}
    assert [(one.category, one.count) for one in now.categories] == [("even", 1), ("odd", 1)]
    assert sum(one.count for one in now.cells) == 2
    then = h.At(run_step=h.RunStep(run=RUN, step=0))
    past = book.summarise_examples("latest", then, since_step=0)
    assert [(one.state, one.count) for one in past.states] == [(h.EXAMPLE_STATE_UNKNOWN, 2)]
    assert past.states == past.states_before == now.states_before
    with pytest.raises(GuessbookError, match="no snapshot at step 10") as early:
        book.summarise_examples(RUN, then, since_step=10)
    assert "at the steps 0." in early.value.hint

    async def asynchronous() -> h.SummariseExamplesResponse:
        async with AsyncGuessbook(server.address, server.home.token) as remote:
            return await remote.summarise_examples(RUN, since_step=0, cells=4)

    assert asyncio.run(asynchronous()) == now


def test_filters_hold_together_in_pages_summaries_and_observations(book: Guessbook) -> None:
    everywhere = h.MapBox(confidence_from=0, confidence_to=1, variability_from=0, variability_to=0.5)
    fixed: dict[str, Any] = {"since_step": 0, "changes": [h.CHANGE_FIXED], "box": everywhere}
    page = example_page(book, RUN, limit=10, search="rome", category="odd", **fixed)
    assert [one.id for one in page.examples] == ["e1"]
    assert {one.example_index[0] for one in book.observations(RUN, **fixed)} == {1}
    assert book.summarise_examples(RUN, states=[h.EXAMPLE_STATE_LEARNED], **fixed).matching == 1
    assert book.summarise_examples(RUN, category="even", **fixed).matching == 0
    early = h.At(run_step=h.RunStep(run=RUN, step=0))
    assert book.examples(RUN, early, **fixed).matching == 0


def test_two_steps_are_compared(book: Guessbook) -> None:
    before, after = (h.Stage(run_step=h.RunStep(run=RUN, step=number)) for number in (0, 10))
    answer = book.compare(before, after)
    assert [(row.id, row.before.guess, row.after.guess) for row in answer.examples] == [
        ("e1", "Rom", "Rome"),
        ("e0", "The answer is 7.", "The answer is 8."),
    ]
    assert book.compare(before, after, changes=[h.CHANGE_FIXED]).matching == 1


def test_insights_are_answered_for_a_run_that_exists(book: Guessbook) -> None:
    assert book.insights(RUN).position == book.head().position
    with pytest.raises(GuessbookError, match="there is no run run-9"):
        book.insights("run-9")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda book: book.examples(RUN, sort="colour"), "presentations"),
        (lambda book: book.examples(RUN, category="prime"), "There are: even, odd"),
        (lambda book: list(book.observations(RUN, steps=[11])), "0, 10, 20, 30"),
        (lambda book: book.examples(RUN, since_step=11), "0, 10, 20, 30"),
        (lambda book: list(book.observations(RUN, changes=[h.CHANGE_FIXED])), "0, 10, 20, 30"),
        (lambda book: book.summarise_examples("run-9"), "there is no run run-9"),
        (lambda book: book.summarise_examples(RUN, cells=10_000), "at most 500"),
        (lambda book: list(book.observations("run-9")), "there is no run run-9"),
        (lambda book: book.compare(h.Stage(version="v9"), h.Stage(run=RUN)), "There are no versions yet"),
    ],
)
def test_an_unknown_name_is_told_with_what_there_is(book: Guessbook, ask: object, message: str) -> None:
    assert callable(ask)
    with pytest.raises(GuessbookError) as error:
        ask(book)
    assert message in f"{error.value} {error.value.hint}"
