"""The pure parts of the page Backups: its address, its days, its times, and the one piece of work that is under way."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.backups import desk as backup_desk
from guessbook.clients.dashboard.backups import restoring
from guessbook.clients.dashboard.backups.coverage import advice
from guessbook.clients.dashboard.backups.keeping import kept_as
from guessbook.clients.dashboard.backups.listing import chosen
from guessbook.clients.dashboard.backups.month import Made, gaps, kind_word
from guessbook.clients.dashboard.backups.selection import ROWS, Selection
from guessbook.clients.dashboard.backups.work import Desk, Outcome, Work
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.errors import Forbidden, Invalid, Rejected
from guessbook.projections.book import Book
from guessbook.proto.safety_pb2 import Backup
from guessbook.server.decide.retention import prunable
from guessbook.store.config import Keep

NOON_US = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1e6)
DAY_US = 86400 * 1_000_000


@pytest.fixture
def owner() -> Iterator[None]:
    asking = role.asking.set(role.OWNER)
    yield
    role.asking.reset(asking)


def made(days_ago: float, place: str = "local", *, sound: bool = True, pruned: bool = False) -> Backup:
    at_us = NOON_US - int(days_ago * DAY_US)
    return Backup(
        id=f"b{at_us}",
        kind="daily",
        place=place,
        created_at_us=at_us,
        sound=sound,
        pruned_at_us=NOON_US if pruned else 0,
    )


def clock(zone: str = "UTC") -> Clock:
    return Clock.of(zone, "", NOON_US)


def test_what_the_page_calls_kept_is_what_the_server_does_not_prune() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keep = Keep(daily=3, weekly=2, monthly=4)
    for _ in range(50):
        backups = [
            made(chance.uniform(0, 200), chance.choice(["local", "usb"]), sound=chance.random() < 0.9)
            for _ in range(30)
        ]
        book = Book()
        book.backups.by_place = {(one.id, one.place): one for one in backups}
        goes = {(identity, place) for place, identity in prunable(book, keep, ZoneInfo("Asia/Tokyo"))}
        kept = kept_as(backups, keep, clock("Asia/Tokyo"))
        newest = {
            place: max(one.created_at_us for one in backups if one.place == place and one.sound)
            for place in ("local", "usb")
        }
        for one in backups:
            stays = bool(kept.get((one.id, one.place))) or not one.sound or one.created_at_us == newest[one.place]
            assert stays == ((one.id, one.place) not in goes)


def test_a_day_without_a_backup_is_a_gap_but_not_today() -> None:
    days = [date(2026, 11, 18), date(2026, 11, 21)]
    assert gaps(days, date(2026, 11, 23)) == {date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 22)}
    assert gaps([], date(2026, 11, 23)) == set()


@pytest.mark.parametrize(
    ("copies", "mark"),
    [
        ([made(1)], "mark-daily"),
        ([made(1), made(1, "usb", sound=False)], "mark-broken"),
        ([made(1), made(1, "usb", sound=False, pruned=True)], "mark-daily"),
        ([made(1, pruned=True)], "mark-pruned"),
    ],
)
def test_a_day_is_marked_by_its_worst_copy_that_is_there(copies: list[Backup], mark: str) -> None:
    assert Made("b", "daily", copies, ()).mark == mark


def test_kinds_in_words() -> None:
    assert kind_word("daily") == "daily"
    assert kind_word("pre_base_model_switch") == "before base model switch"


def test_the_address_says_what_is_listed_and_keeps_what_it_does_not_know() -> None:
    selection = Selection.parse("?at=7&day=2026-11-17&place=usb&pruned=1&rows=60")
    assert (selection.day, selection.month, selection.place) == (date(2026, 11, 17), (2026, 11), "usb")
    assert (selection.pruned, selection.rows) == (True, 60)
    assert selection.href(day=None, rows=None, place="a b") == "/backups?at=7&place=a+b&pruned=1"


@pytest.mark.parametrize("search", ["", None, "?day=2026-02-30&month=x&rows=0", "?day=20261117&month=2026-13&rows=-1"])
def test_an_address_that_nobody_understands_takes_the_defaults(search: str | None) -> None:
    selection = Selection.parse(search)
    assert (selection.month, selection.day, selection.place, selection.pruned, selection.rows) == (
        None,
        None,
        "",
        False,
        ROWS,
    )


def test_the_list_is_of_the_chosen_day_in_the_zone_of_the_page() -> None:
    late = made(0.4)  # 02:24 in UTC, still the day before in New York
    assert chosen([late], Selection(day=date(2026, 11, 23)), clock()) == [late]
    assert chosen([late], Selection(day=date(2026, 11, 22)), clock("America/New_York")) == [late]
    assert chosen([made(1, pruned=True)], Selection(), clock()) == []


def test_times_are_those_of_the_schedule_s_zone_else_the_browser_s() -> None:
    assert Clock.of("Asia/Tokyo", "Europe/Zurich", NOON_US).said == "Asia/Tokyo, the time zone of config.yaml"
    assert Clock.of("", "Europe/Zurich", NOON_US).moment(NOON_US) == "today 13:00"
    assert Clock.of("", "../etc/passwd", NOON_US).said == "UTC"
    assert clock().moment(NOON_US - 400 * DAY_US) == "19 Oct 2025 12:00"
    assert f"{clock().next('03:00'):%d %H:%M} {clock().next('12:30'):%d %H:%M}" == "24 03:00 23 12:30"


def test_commands_in_an_advice_are_code() -> None:
    assert [part if isinstance(part, str) else part.children for part in advice("`a b` makes one.")] == [
        "",
        "a b",
        " makes one.",
    ]


def test_a_restore_goes_only_to_where_nothing_is(tmp_path: Path) -> None:
    assert restoring.folder(f" {tmp_path}/new ") == tmp_path / "new"
    assert restoring.folder(str(tmp_path)) == tmp_path
    (tmp_path / "file").write_text("here")
    too_long = str(tmp_path / ("x" * 5000))
    for wrong in ("", None, "relative", str(tmp_path), str(tmp_path / "file"), "~nobody-of-that-name/x", too_long):
        with pytest.raises(Invalid):
            restoring.folder(wrong)


@pytest.mark.usefixtures("owner")
def test_one_piece_of_work_at_a_time_and_a_failure_is_told() -> None:
    async def run() -> None:
        desk = Desk()
        go_on = asyncio.Event()
        ended = asyncio.Event()

        async def slow(work: Work) -> Outcome:
            work.say("half way")
            await go_on.wait()
            asyncio.get_running_loop().call_soon(ended.set)
            raise Invalid("that can't be", "Do this.")

        desk.begin("Doing", slow)
        with pytest.raises(Rejected, match="Doing is under way"):
            desk.begin("Another", slow)
        desk.dismiss()
        assert desk.busy
        go_on.set()
        await ended.wait()
        assert desk.work
        assert desk.work.outcome == Outcome(False, "That can't be. Do this.")
        desk.dismiss()
        assert desk.work is None

    asyncio.run(run())


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("task", ["create", "verify", "drill", "dismiss"])
def test_a_guest_neither_replaces_nor_sees_what_the_owner_asked_for(task: str) -> None:
    async def run() -> None:
        async def restored(_work: Work) -> Outcome:
            return Outcome(True, "Done.", command="guessbook up --home /home/me/secret")

        desk = Desk()
        desk.begin("Restoring into /home/me/secret", restored)
        while desk.busy:
            await asyncio.sleep(0)
        before = desk.work
        assert "/home/me/secret" in str(backup_desk.bar(before))

        asking = role.asking.set(role.GUEST)
        async with AsyncGuessbook("127.0.0.1:1") as book:
            with pytest.raises(Forbidden):
                backup_desk.obey(desk, book, {"task": task, "id": "b1", "place": "local"})
        assert desk.work is before
        assert backup_desk.bar(before) == []
        role.asking.reset(asking)

    asyncio.run(run())
