"""Which events `guessbook log` prints, and where it goes on, while the log grows under it."""

import json
from collections.abc import Iterator, Sequence
from typing import Self

import pytest
from made_events import beginning, numbered, step

from guessbook.clients.cli import log
from guessbook.proto import log_pb2
from guessbook.proto.events_pb2 import Event


class GrowingBook:
    """A log that gets an event after its head was asked for."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def head(self) -> log_pb2.HeadResponse:
        return log_pb2.HeadResponse(position=len(self.events) - 1)

    def read(self, from_position: int, subjects: Sequence[str], limit: int = 0) -> Iterator[Event]:
        found = [
            event
            for event in self.events[from_position - 1 :]
            if not subjects or event.subject.startswith(tuple(subjects))
        ]
        return iter(found[:limit] if limit else found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def went_on_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where `log --follow` subscribed. The log: 5 events of a run's beginning, then steps up to position 9."""
    book = GrowingBook(numbered([*beginning(), *map(step, range(1, 5))]))
    starts: list[int] = []
    monkeypatch.setattr(log, "Guessbook", lambda: book)

    def following(book: object, start: int, subjects: Sequence[str]) -> Iterator[object]:
        starts.append(start)
        return iter(())

    monkeypatch.setattr(log, "following", following)
    return starts


@pytest.mark.parametrize(
    ("options", "printed", "then"),
    [
        ({}, range(1, 10), 10),
        ({"limit": 3}, range(7, 10), 10),
        ({"from_": 2}, range(2, 10), 10),
        ({"from_": 2, "limit": 3}, range(2, 5), 5),
        ({"from_": 20}, (), 20),
        ({"subject": ["job/"], "limit": 1}, (4,), 9),
        ({"subject": ["trainer/"]}, (), 9),
    ],
)
def test_each_event_is_printed_once(
    went_on_at: list[int],
    capsys: pytest.CaptureFixture[str],
    options: dict[str, object],
    printed: Sequence[int],
    then: int,
) -> None:
    log.log(follow=True, as_json=True, **options)  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == list(printed)
    assert went_on_at == [then]
