"""What is due by the clock, at which the time is told: missed backups are made up, a clock that jumps does no harm, nothing that is needed is garbage."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from made_events import beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.backups import Started
from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import File
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_REFUSED,
    OPERATION_STAGE_REQUESTED,
    Backup,
    Operation,
)
from guessbook.server.decide import upkeep
from guessbook.store.config import BackupConfig, BackupPlace

ZURICH = BackupConfig(at="03:00", timezone="Europe/Zurich")
THREE = BackupConfig(
    at="03:00",
    timezone="Europe/Zurich",
    places=(BackupPlace(name="usb", url="/usb"), BackupPlace(name="cellar", url="/cellar")),
)
HOUR = 3600 * 1_000_000
DAY = 24 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Zurich")).timestamp() * 1e6)


def begun(book: Book, time_us: int, *, places: Sequence[str] = ("local",)) -> None:
    name = str(time_us)
    book.backups.started[name] = Started("daily", "", time_us)
    for place in places:
        book.backups.by_place[name, place] = Backup(
            id=name,
            place=place,
            kind="daily",
            created_at_us=time_us,
            sound=True,
            head=len(book.backups.by_place) + 1,
        )


def filled() -> Book:
    return book_fold.fold(numbered(beginning()))


def test_an_empty_book_needs_no_backup() -> None:
    assert not upkeep.backups_due(Book(), ZURICH, at("2026-11-22T03:00"))


def test_it_is_due_at_three_and_once() -> None:
    book = filled()
    begun(book, at("2026-11-21T03:00"))
    assert not upkeep.backups_due(book, ZURICH, at("2026-11-22T02:59"))
    assert upkeep.backups_due(book, ZURICH, at("2026-11-22T03:00"))
    begun(book, at("2026-11-22T03:00"))
    assert not upkeep.backups_due(book, ZURICH, at("2026-11-22T03:01"))


def test_one_that_was_missed_is_made_up() -> None:
    book = filled()
    begun(book, at("2026-11-10T03:00"))
    assert upkeep.backups_due(book, ZURICH, at("2026-11-22T17:20"))


def test_a_failed_one_is_tried_again_after_an_hour() -> None:
    book = filled()
    begun(book, at("2026-11-22T03:00"), places=())
    assert not upkeep.backups_due(book, ZURICH, at("2026-11-22T03:59"))
    assert upkeep.backups_due(book, ZURICH, at("2026-11-22T04:00"))


def test_only_the_place_that_failed_is_tried_again() -> None:
    book = filled()
    begun(book, at("2026-11-21T03:00"), places=["local", "usb", "cellar"])
    assert upkeep.backups_due(book, THREE, at("2026-11-22T03:00")) == ["local", "usb", "cellar"]
    begun(book, at("2026-11-22T03:00"), places=["local", "cellar"])
    assert upkeep.backups_due(book, THREE, at("2026-11-22T03:59")) == []
    assert upkeep.backups_due(book, THREE, at("2026-11-22T04:00")) == ["usb"]
    book.backups.by_place[str(at("2026-11-22T03:00")), "local"].sound = False  # what was read back was something else
    assert upkeep.backups_due(book, THREE, at("2026-11-22T04:00")) == ["local", "usb"]
    begun(book, at("2026-11-22T04:00"), places=["local", "usb"])
    assert upkeep.backups_due(book, THREE, at("2026-11-22T23:00")) == []


def test_a_clock_that_was_ahead_stops_no_backup() -> None:
    """What was made while it was ahead doesn't count once it is right again; and what is made then counts."""
    book = filled()
    begun(book, at("2036-11-22T03:00"))
    assert upkeep.backups_due(book, ZURICH, at("2026-11-22T12:00"))
    begun(book, at("2026-11-22T12:00"))
    assert not upkeep.backups_due(book, ZURICH, at("2026-11-22T12:01"))
    assert upkeep.backups_due(book, ZURICH, at("2026-11-23T03:00"))


def test_a_clock_that_was_ahead_stops_no_drill_and_is_no_newest_backup() -> None:
    book = filled()
    begun(book, at("2026-11-01T03:00"))
    begun(book, at("2036-11-01T03:00"))
    book.backups.by_place[str(at("2036-11-01T03:00")), "local"].drilled_at_us = at("2036-11-01T03:10")
    begun(book, at("2026-11-08T03:00"))
    chosen = upkeep.drill_due(book, ZURICH, at("2026-11-08T03:10"))
    assert chosen
    assert chosen.created_at_us == at("2026-11-08T03:00")


def test_the_place_that_was_drilled_longest_ago_is_next_and_first_one_elsewhere() -> None:
    book, now = filled(), at("2026-11-20T04:00")
    begun(book, at("2026-11-01T03:00"), places=["local", "usb", "cellar", "given up"])
    drilled = []
    for week in range(6):
        chosen = upkeep.drill_due(book, THREE, now + week * 7 * DAY)
        assert chosen
        chosen.drilled_at_us = now + week * 7 * DAY
        drilled.append(chosen.place)
        assert upkeep.drill_due(book, THREE, now + week * 7 * DAY + DAY) is None
    assert drilled == ["cellar", "usb", "local"] * 2
    other = upkeep.drill_due(book, THREE, now + 50 * DAY, but=["cellar"])
    assert other
    assert other.place == "usb"


def test_summer_time_neither_skips_nor_doubles() -> None:
    night = BackupConfig(at="02:30", timezone="Europe/Zurich")
    book = filled()
    begun(book, at("2026-03-28T02:30"))
    due = [hour for hour in range(48) if upkeep.backups_due(book, night, at("2026-03-28T02:31") + hour * HOUR)]
    assert due[0] in (23, 24)
    begun(book, at("2026-03-28T02:31") + due[0] * HOUR)
    assert not upkeep.backups_due(book, night, at("2026-03-29T23:59"))


def test_a_drill_is_due_every_week_and_takes_the_newest() -> None:
    book = filled()
    assert upkeep.drill_due(book, ZURICH, at("2026-11-22T04:00")) is None
    for day in range(9):
        begun(book, at("2026-11-01T03:00") + day * DAY)
    assert upkeep.drill_due(book, ZURICH, at("2026-11-01T03:00") + 6 * DAY) is None
    chosen = upkeep.drill_due(book, ZURICH, at("2026-11-01T03:00") + 8 * DAY)
    assert chosen
    assert chosen.id == str(at("2026-11-01T03:00") + 8 * DAY)
    book.backups.by_place[chosen.id, "local"].drilled_at_us = at("2026-11-09T04:00")
    assert upkeep.drill_due(book, ZURICH, at("2026-11-16T03:59")) is None
    assert upkeep.drill_due(book, ZURICH, at("2026-11-16T04:00"))
    assert upkeep.drill_due(book, BackupConfig(drill_days=0), at("2027-11-16T04:00")) is None


def test_backups_are_pruned_once_a_week_and_never_beside_another_operation() -> None:
    book, now = filled(), at("2026-11-22T03:05")
    assert upkeep.prune_due(book, ZURICH, now)
    assert not upkeep.prune_due(book, BackupConfig(prune=False), now)
    book.operations.by_id["p"] = Operation(kind="prune-backups", stage=OPERATION_STAGE_REQUESTED)
    assert not upkeep.prune_due(book, ZURICH, now)
    book.operations.by_id["p"] = Operation(kind="prune-backups", stage=OPERATION_STAGE_REFUSED, ended_at_us=now)
    assert upkeep.prune_due(book, ZURICH, now)
    book.operations.by_id["p"] = Operation(kind="prune-backups", stage=OPERATION_STAGE_COMPLETED, ended_at_us=now)
    assert not upkeep.prune_due(book, ZURICH, now + 7 * DAY - 1)
    assert upkeep.prune_due(book, ZURICH, now + 7 * DAY)
    assert upkeep.prune_due(book, ZURICH, now - 3650 * DAY)  # a clock that was ahead stops it no longer than it was


def test_the_trash_is_emptied_after_its_term() -> None:
    book = Book()
    book.versions.versions += [
        Version(name="a", deleted_at_us=1, purge_after_us=100),
        Version(name="b", deleted_at_us=1, purge_after_us=101),
        Version(name="c"),
    ]
    assert not list(upkeep.purges(book, 10 * DAY))  # the clock may have jumped
    begun(book, 100)
    book.backups.by_place["100", "local"].missing.append("f" * 64)
    assert not list(upkeep.purges(book, 100 + DAY))  # what it lacks may be of this version
    del book.backups.by_place["100", "local"].missing[:]
    assert not list(upkeep.purges(book, 100 + DAY - 1))
    assert [event.subject for event in upkeep.purges(book, 100 + DAY)] == ["version/a"]


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("pqrstu")), st.booleans()), max_size=8), st.sets(st.sampled_from("pq"))
)
def test_no_file_that_anything_refers_to_is_garbage(versions: list[tuple[set[str], bool]], datasets: set[str]) -> None:
    book = Book()
    for name in datasets:
        book.datasets.by_sha256[name] = filled().datasets.by_sha256["d" * 64]
    for number, (files, purged) in enumerate(versions):
        book.versions.versions.append(
            Version(name=str(number), purged=purged, files=[File(path=one, sha256=one) for one in files])
        )
    garbage = {file.sha256 for file in upkeep.garbage(book)}
    needed = datasets.union(*(files for files, purged in versions if not purged))
    assert not garbage & needed
    assert garbage == set().union(*(files for files, purged in versions if purged)) - needed
