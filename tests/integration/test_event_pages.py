"""The events newest first: page by page they are the log turned round, whatever is asked for, of whatever point and however rare."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from eventually import eventually
from hypothesis import given, settings
from hypothesis import strategies as st
from made_events import RUN, beginning, snapshot, step
from server_process import ServerProcess

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event
from guessbook.server import event_pages
from guessbook.server.event_pages import EventFilter, newest_first
from guessbook.store.index import about
from guessbook.store.log import Append, Log
from guessbook.store.verify import verify

RARE = 5  # pauses in a log of MANY events
MANY = 130_000


def _event(kind: str, number: int) -> Event:
    if kind == "step":
        return Event(subject=f"run/{number % 3}", step_completed=e.StepCompleted(step=number))
    if kind == "pause":
        return Event(subject=f"job/{number % 2}", pause_requested=e.PauseRequested())
    return Event(subject="server", hook_ran=e.HookRan(detail="x" * 40 * number))


def _walked(log: Log, wanted: EventFilter, before: int, limit: int) -> list[Event]:
    """All pages, one behind the other."""
    found: list[Event] = []
    while before > 1:
        page = newest_first(log, wanted, before, limit)
        assert len(page.events) <= limit
        assert page.next < before
        found += page.events
        before = page.next
    return found


COMMITS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.lists(st.sampled_from(["step", "step", "step", "pause", "noise"]), min_size=1, max_size=12),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=50)
@given(
    commits=COMMITS,
    types=st.sets(st.sampled_from(["StepCompleted", "PauseRequested", "HookRan", "JobQueued"]), max_size=2),
    subjects=st.sets(st.sampled_from(["run/", "run/1", "job/0", "server", "job/9"]), max_size=2),
    actor=st.sampled_from(["", "", "ann"]),
    limit=st.integers(1, 9),
    back=st.integers(0, 40),
)
def test_all_pages_together_are_the_log_turned_round(
    commits: list[tuple[str, list[str]]], types: set[str], subjects: set[str], actor: str, limit: int, back: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for constant, value in (("BLOCK", 4), ("LOOK", 10), ("PAGE_BYTES", 600)):
            patch.setattr(event_pages, constant, value)
        with closing(Log(Path(name) / "log", map_bytes=1 << 24)) as log:
            for number, (who, kinds) in enumerate(commits):
                log.commit([Append([_event(kind, number + place) for place, kind in enumerate(kinds)], actor=who)], 1)
            before = max(log.head.position + 1 - back, 1)
            wanted = EventFilter.named(sorted(types), sorted(subjects), actor)
            kept = [
                event
                for event in log.read_all(1)
                if event.position < before
                and (not actor or event.actor == actor)
                and about(event, sorted(subjects))
                and (not types or type(getattr(event, str(event.WhichOneof("body")))).__name__ in types)
            ]
            assert _walked(log, wanted, before, limit) == kept[::-1]
        assert verify(Path(name) / "log").ok


def test_a_page_ends_early_at_its_bytes_and_holds_one_event_at_least(tmp_path: Path) -> None:
    with closing(Log(tmp_path / "log")) as log:
        for _ in range(9):
            log.commit([Append([Event(subject="server", hook_ran=e.HookRan(detail="x" * 1_000_000))], actor="a")], 1)
        page = newest_first(log, EventFilter(), 10, 100)
        assert [event.position for event in page.events] == [9, 8, 7]
        assert page.next == 7
        assert [event.position for event in _walked(log, EventFilter(), 10, 100)] == [*range(9, 0, -1)]
    assert verify(tmp_path / "log").ok


@pytest.fixture(scope="module")
def large_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """Steps, and now and then a pause: the first event of each run of steps."""
    place = tmp_path_factory.mktemp("large") / "log"
    with closing(Log(place)) as log:
        for first in range(0, MANY, 1000):
            events = [_event("step", number) for number in range(first, first + 1000)]
            if first % (MANY // RARE) == 0:
                events[0] = _event("pause", 0)
            log.commit([Append(events, actor="a")], 1)
        yield log
    assert verify(place).ok


def test_a_call_looks_at_so_many_events_and_says_where_to_go_on(large_log: Log) -> None:
    wanted, found, calls, before = EventFilter.named(["PauseRequested"]), list[int](), 0, MANY + 1
    while before:
        page = newest_first(large_log, wanted, before, 100)
        assert before - (page.next or 1) <= event_pages.LOOK + event_pages.BLOCK
        found += [event.position for event in page.events]
        before, calls = page.next, calls + 1
    assert found == [number * MANY // RARE + 1 for number in reversed(range(RARE))]
    assert calls == 1 + MANY // (event_pages.LOOK + event_pages.BLOCK)


def test_what_is_rare_is_found_by_its_subject_in_one_call(large_log: Log) -> None:
    page = newest_first(large_log, EventFilter(subjects=("job/0",)), MANY + 1, 100)
    assert (len(page.events), page.next) == (RARE, 0)
    some = newest_first(large_log, EventFilter(subjects=("job/", "run/9")), MANY + 1, 2)
    assert [event.position for event in some.events] == [4 * MANY // RARE + 1, 3 * MANY // RARE + 1]
    rest = newest_first(large_log, EventFilter(subjects=("job/",)), some.next, 100)
    assert len(rest.events) == RARE - 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on a log that holds a run."""
    process = ServerProcess(tmp_path / "home")
    log = Log(process.home.log)
    for number, event in enumerate([*beginning(2), *snapshot(0, [1.0, 2.0], [False, False]), step(1), step(2)]):
        log.commit([Append([event], actor="ann" if number < 3 else "bob")], now_us=1_000_000 * (number + 1))
    log.close()
    with process:
        yield process


def test_events_of_a_kind_about_something_by_somebody(server: ServerProcess, book: Guessbook) -> None:
    everything = list(book.read())
    answer = book.events(limit=1000)
    assert list(answer.events) == everything[::-1]
    assert (answer.next, answer.position) == (0, len(everything))
    assert [event.actor for event in book.events(actor="ann").events] == ["ann"] * 3
    steps = book.events(types=["StepCompleted", "RunStarted"], subjects=["run/"]).events
    assert [event.position for event in steps] == [10, 9, 5]
    assert [event.position for event in book.events(subjects=[f"run/{RUN}"], limit=2).events] == [10, 9]
    assert [event.position for event in book.events(before=4, limit=2).events] == [3, 2]

    async def asynchronous() -> h.ListEventsResponse:
        async with AsyncGuessbook(server.address, server.home.token) as remote:
            return await remote.events(actor="bob", limit=1)

    assert asyncio.run(asynchronous()).events[0].position == 10


def test_events_up_to_a_past_point(book: Guessbook) -> None:
    past = book.events(h.At(position=4), limit=2)
    assert ([event.position for event in past.events], past.position, past.next) == ([4, 3], 4, 3)
    assert book.events(h.At(time_us=2_500_000)).events[0].position == 2
    assert book.events(h.At(run_step=h.RunStep(run=RUN, step=1)), types=["StepCompleted"]).events[0].position == 9
    assert [event.position for event in book.events(h.At(position=4), before=1000, limit=1).events] == [4]
    with pytest.raises(GuessbookError, match="the log ends at position"):
        book.events(h.At(position=1000))


def test_a_kind_that_is_not_there_is_told_with_those_that_are_near(book: Guessbook) -> None:
    with pytest.raises(GuessbookError, match="no kind of event 'JobQueud'") as near:
        book.events(types=["StepCompleted", "JobQueud"])
    assert "JobQueued" in near.value.hint
    with pytest.raises(GuessbookError, match="no kind of event 'zzz'") as far:
        book.events(types=["zzz"])
    assert "BackupCreated, " in far.value.hint


def test_the_status_counts_open_subscriptions(book: Guessbook) -> None:
    before = book.status().subscribers
    with book.subscribe() as subscription:
        next(iter(subscription))
        eventually(lambda: book.status().subscribers == before + 1)
    eventually(lambda: book.status().subscribers == before)
