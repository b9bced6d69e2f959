"""Which backups the rules of keeping let go: seven days, four weeks, twelve months, and never what is referred to."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from guessbook.projections.book import Book
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, OPERATION_STAGE_REQUESTED, Backup, Operation
from guessbook.server.decide.retention import prunable
from guessbook.store.config import Keep

START = datetime(2024, 1, 1, 3, tzinfo=UTC)
KEEP = Keep(daily=7, weekly=4, monthly=12)


def backup(days: float, place: str = "here", *, sound: bool = True) -> Backup:
    at = START + timedelta(days=days)
    name = f"{at:%Y%m%dT%H%M%S}-{place}"
    return Backup(id=name, place=place, kind="daily", created_at_us=int(at.timestamp() * 1e6), sound=sound)


def book_of(*backups: Backup) -> Book:
    book = Book()
    for one in backups:
        book.backups.by_place[one.id, one.place] = one
    return book


def prune(book: Book) -> None:
    for place, name in prunable(book, KEEP):
        book.backups.by_place[name, place].pruned_at_us = 1


def kept(book: Book, place: str = "here") -> list[Backup]:
    return [one for one in book.backups.by_place.values() if not one.pruned_at_us and one.place == place]


def test_three_years_of_days_leave_a_week_a_month_and_a_year() -> None:
    book = Book()
    for day in range(3 * 365):
        one = backup(day)
        book.backups.by_place[one.id, one.place] = one
        prune(book)
    days = [
        (START + timedelta(days=3 * 365 - 1) - datetime.fromtimestamp(one.created_at_us / 1e6, tz=UTC)).days
        for one in kept(book)
    ]
    assert sorted(days)[:7] == [0, 1, 2, 3, 4, 5, 6]
    assert 20 <= len(days) <= 7 + 4 + 12
    assert max(days) > 11 * 28


def test_nothing_goes_while_there_are_few() -> None:
    assert prunable(book_of(*(backup(day) for day in range(7))), KEEP) == []


def test_what_could_not_be_read_back_stays_and_stands_for_nothing() -> None:
    broken = [backup(day + 0.5, sound=False) for day in range(60)]
    book = book_of(*broken, *(backup(day) for day in range(60)))
    gone = {name for _, name in prunable(book, KEEP)}
    assert gone
    assert not gone & {one.id for one in broken}
    alone = book_of(backup(0), *(backup(day, sound=False) for day in range(1, 100)))
    assert prunable(alone, KEEP) == []


def test_a_backup_that_can_still_undo_something_stays() -> None:
    book = book_of(*(backup(day) for day in range(400)))
    first, second = list(book.backups.by_place.values())[:2]
    book.operations.by_id["a"] = Operation(id="a", backup=first.id, stage=OPERATION_STAGE_REQUESTED)
    book.operations.by_id["b"] = Operation(id="b", backup=second.id, stage=OPERATION_STAGE_COMPLETED, target="v001")
    gone = {name for _, name in prunable(book, KEEP)}
    assert first.id not in gone
    assert second.id in gone
    book.versions.versions.append(Version(name="v001", deleted_at_us=1))
    assert second.id not in {name for _, name in prunable(book, KEEP)}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1500), st.sampled_from(["here", "there"]), st.booleans()), max_size=120))
def test_whatever_the_days_the_newest_sound_one_of_each_place_and_period_stays(
    days: list[tuple[float, str, bool]],
) -> None:
    book = book_of(*(backup(day, place, sound=sound) for day, place, sound in sorted(days)))
    prune(book)
    again = prunable(book, KEEP)
    assert again == [], "pruning twice changes nothing"
    for place in ("here", "there"):
        sound = [one for one in book.backups.by_place.values() if one.place == place and one.sound]
        left = {one.id for one in kept(book, place)}
        if sound:
            assert max(sound, key=lambda one: one.created_at_us).id in left
            newest_days = sorted({one.created_at_us // 86_400_000_000 for one in sound})[-7:]
            for day in newest_days:
                of_day = [one for one in sound if one.created_at_us // 86_400_000_000 == day]
                assert max(of_day, key=lambda one: one.created_at_us).id in left
        assert all(one.id in left for one in book.backups.by_place.values() if one.place == place and not one.sound)
