"""The log on real LMDB: order, expected position, once for ever, and nothing damaged is served."""

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import lmdb
import pytest
from made_events import snapshot, step

from guessbook.proto.events_pb2 import Event
from guessbook.store.errors import (
    DifferentContent,
    FencedEpoch,
    LogError,
    LogFailed,
    LogFull,
    LogInUse,
    Malformed,
    NotALog,
    OutOfOrder,
    TooLarge,
    WrongPosition,
)
from guessbook.store.frame import DamagedFrame
from guessbook.store.log import EVENT_LIMIT, Append, Log, Receipt
from guessbook.store.verify import verify
from guessbook.store.writer import Writer

MAP = 64 * 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a test's log lies; verified when the test is over."""
    place = tmp_path / "log"
    yield place
    verdict = verify(place)
    assert verdict.ok, verdict


@pytest.fixture
def log(folder: Path) -> Iterator[Log]:
    opened = Log(folder, map_bytes=MAP)
    yield opened
    opened.close()


def _commit(log: Log, *appends: Append) -> list[Receipt | LogError]:
    return log.commit(appends, now_us=1_000_000)[0]


def _steps(log: Log) -> list[int]:
    return [event.step_completed.step for event in log.read_all()]


def test_positions_are_given_in_the_commit_without_gaps(log: Log) -> None:
    answers = _commit(log, Append([step(1), step(2)], "a"), Append([step(3)], "b"))
    assert answers == [Receipt(1, 2), Receipt(3, 1)]
    events = list(log.read_all())
    assert [event.position for event in events] == [1, 2, 3]
    assert [event.actor for event in events] == ["a", "a", "b"]
    assert {event.recorded_at_us for event in events} == {1_000_000}


def test_a_conflict_fails_only_its_own_append(log: Log) -> None:
    _commit(log, Append([step(1)], "a"))
    answers = _commit(
        log,
        Append([step(2)], "a", expected_position=1),
        Append([step(99)], "a", expected_position=1),
        Append([step(3)], "a", expected_position=2),
    )
    assert answers[0] == Receipt(2, 1)
    assert isinstance(answers[1], WrongPosition)
    assert answers[1].actual == 2
    assert answers[2] == Receipt(3, 1)
    assert _steps(log) == [1, 2, 3]


def test_a_batch_is_stored_once_for_ever(log: Log, folder: Path) -> None:
    epoch = log.join("p", 0).epoch
    first = Append([step(1)], "a", producer="p", epoch=epoch, sequence=1)
    assert _commit(log, first) == [Receipt(1, 1)]
    _commit(log, Append([step(2)], "other"))
    again = Append([step(1)], "a", producer="p", epoch=epoch, sequence=1)
    assert _commit(log, again) == [Receipt(1, 1, duplicate=True)]
    log.close()
    reopened = Log(folder, map_bytes=MAP)
    again = Append([step(1)], "a", expected_position=77, producer="p", epoch=epoch, sequence=1)
    assert _commit(reopened, again) == [Receipt(1, 1, duplicate=True)]
    assert _steps(reopened) == [1, 2]
    reopened.close()


def test_a_sequence_number_takes_one_content_and_leaves_no_gap(log: Log) -> None:
    epoch = log.join("p", 0).epoch
    _commit(log, Append([step(1)], "a", producer="p", epoch=epoch, sequence=1))
    other, gap = _commit(
        log,
        Append([step(2)], "a", producer="p", epoch=epoch, sequence=1),
        Append([step(3)], "a", producer="p", epoch=epoch, sequence=3),
    )
    assert isinstance(other, DifferentContent)
    assert isinstance(gap, OutOfOrder)
    assert _steps(log) == [1]


def test_a_newer_epoch_fences_the_older_one(log: Log) -> None:
    old = log.join("p", 0).epoch
    _commit(log, Append([step(1)], "a", producer="p", epoch=old, sequence=1))
    state = log.join("p", 0)
    assert (state.epoch, state.last_sequence) == (old + 1, 1)
    assert isinstance(_commit(log, Append([step(2)], "a", producer="p", epoch=old, sequence=2))[0], FencedEpoch)
    with pytest.raises(FencedEpoch):
        log.join("p", old)
    assert _commit(log, Append([step(2)], "a", producer="p", epoch=old + 1, sequence=2)) == [Receipt(2, 1)]


def test_sizes_are_capped(log: Log) -> None:
    big = step(1)
    big.step_completed.example_loss.extend([0.5] * (EVENT_LIMIT // 4 + 1))
    no_subject = Event(step_completed=step(1).step_completed)
    long_subject = step(1, run="x" * 500)
    assert isinstance(_commit(log, Append([big], "a"))[0], TooLarge)
    assert isinstance(_commit(log, Append([step(n, losses=[0.5] * 50_000) for n in range(1, 20)], "a"))[0], TooLarge)
    forged = step(1)
    forged.position = 7
    unspeakable = step(1, run="a\0")  # no environment of a hook could hold it
    for events in ([], [no_subject], [long_subject], [forged], [unspeakable]):
        assert isinstance(_commit(log, Append(events, "a"))[0], Malformed)
    assert log.head.position == 0


def test_reading_from_a_position_and_by_subject(log: Log) -> None:
    for number in range(1, 301):
        _commit(log, Append([step(2 * number - 1, run=f"r{number % 3}"), step(2 * number, run="r")], "a"))
    assert [event.position for event in log.read_all(400)] == list(range(400, 601))
    mine = list(log.read_all(100, subjects=["run/r1"]))
    assert all(event.subject == "run/r1" and event.position >= 100 for event in mine)
    assert len(mine) == len([n for n in range(1, 301) if n % 3 == 1 and 2 * n - 1 >= 100])
    assert len(list(log.read_all(subjects=["run/r0", "run/r2"]))) == 200
    assert len(list(log.read_all(subjects=["run/"]))) == 600
    assert list(log.read_all(subjects=["run/nobody"])) == []
    assert [event.position for event in log.read(7, limit=3)[0]] == [7, 8, 9]
    assert log.read(601) == ([], 601)
    assert [event.position for event in log.read_all(1, to_position=3)] == [1, 2, 3]


def test_time_never_runs_backwards(log: Log) -> None:
    log.commit([Append([step(1)], "a")], now_us=2_000_000)
    log.commit([Append([step(2)], "a")], now_us=1_000_000)
    log.commit([Append([step(3)], "a")], now_us=3_000_000)
    assert [event.recorded_at_us for event in log.read_all()] == [2_000_000, 2_000_000, 3_000_000]
    assert [log.position_at(time) for time in (1, 2_000_000, 2_999_999, 9_000_000)] == [0, 2, 2, 3]


def test_the_head_survives_reopening_and_waiting_sees_it(log: Log, folder: Path) -> None:
    waiter: list[bool] = []
    thread = threading.Thread(target=lambda: waiter.append(log.wait(2, timeout=20)))
    thread.start()
    _commit(log, Append([step(1)], "a"))
    _commit(log, Append([step(2)], "a"))
    thread.join()
    assert waiter == [True]
    assert not log.wait(3, timeout=0.01)
    head = log.head
    log.close()
    reopened = Log(folder, map_bytes=MAP)
    assert reopened.head == head
    reopened.close()


def test_a_second_opener_and_a_strange_folder_are_refused(log: Log, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LogInUse, match="another process"):
        Log(folder)
    strange = tmp_path / "strange"
    strange.mkdir()
    with pytest.raises(NotALog):
        Log(strange)


def test_a_full_map_loses_nothing_and_reading_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path / "small", map_bytes=512 * 1024)
    written = 0

    def fill() -> None:
        nonlocal written
        for number in range(1, 10_000):
            _commit(log, Append(snapshot(number, [0.1 * i for i in range(40)], [True] * 40), "a"))
            written += 1

    with pytest.raises(LogFull):
        fill()
    assert written > 10
    assert log.head.position == 3 * written
    assert len(list(log.read_all())) == 3 * written
    log.close()
    assert verify(tmp_path / "small").ok


def test_a_flipped_bit_is_found_and_never_served(log: Log, folder: Path) -> None:
    for number in range(1, 21):
        _commit(log, Append([step(number)], "a"))
    log.close()
    with lmdb.open(str(folder), max_dbs=8, map_size=MAP) as env:
        frames = env.open_db(b"frames", create=False)
        with env.begin(write=True) as transaction:
            key = (11).to_bytes(8, "big")
            good = transaction.get(key, db=frames)
            assert good
            damaged = bytearray(good)
            damaged[-1] ^= 1
            transaction.put(key, bytes(damaged), db=frames)
    verdict = verify(folder)
    assert (verdict.ok, verdict.first_bad_position, verdict.head) == (False, 11, 10)
    reopened = Log(folder, map_bytes=MAP)
    with pytest.raises(DamagedFrame) as caught:
        list(reopened.read_all())
    assert caught.value.position == 11
    reopened.close()
    with lmdb.open(str(folder), max_dbs=8, map_size=MAP) as env:
        frames = env.open_db(b"frames", create=False)
        with env.begin(write=True) as transaction:
            transaction.put(key, good, db=frames)


def test_many_threads_get_one_gapless_order(log: Log) -> None:
    seen: list[int] = []
    writer = Writer(log, lambda events: seen.extend(event.position for event in events), lambda failed: None)
    futures: list[list[Future[Receipt]]] = [[] for _ in range(4)]

    def produce(number: int) -> None:
        for count in range(100):
            futures[number].append(writer.append(Append([step(count + 1, run=f"r{number}")], "a")))

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert seen == list(range(1, 401))
    for number, mine in enumerate(futures):
        positions = [future.result().first_position for future in mine]
        assert positions == sorted(positions)
        told = [event.step_completed.step for event in log.read_all(subjects=[f"run/r{number}"])]
        assert told == list(range(1, 101))


def test_after_a_commit_that_failed_nothing_is_acknowledged_any_more(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[LogFailed] = []
    writer = Writer(log, lambda events: None, failures.append)
    writer.append(Append([step(1)], "a")).result()

    def broken(*_: object) -> None:
        raise lmdb.Error("mdb_txn_commit: Input/output error")

    monkeypatch.setattr(log, "_store", broken)
    with pytest.raises(LogFailed):
        writer.append(Append([step(2)], "a")).result()
    monkeypatch.undo()
    with pytest.raises(LogFailed):
        writer.append(Append([step(3)], "a")).result()
    writer.close()
    assert len(failures) == 1
    assert _steps(log) == [1]


def _change(folder: Path, table: bytes, change: Callable[[Any, Any], None], dup: bool = False) -> None:
    """Changes a table behind the log's back."""
    with lmdb.open(str(folder), max_dbs=8, map_size=MAP) as env:
        database = env.open_db(table, create=False, dupsort=dup, dupfixed=dup)
        with env.begin(write=True, db=database) as transaction:
            change(transaction, database)


@pytest.mark.parametrize("lost", [1, 10, 20])
def test_a_row_lost_from_the_subject_index_is_noticed(tmp_path: Path, lost: int) -> None:
    folder = tmp_path / "log"
    log = Log(folder, map_bytes=MAP)
    for number in range(1, 21):
        _commit(log, Append([step(number)], "a"))
    log.close()

    def lose(transaction: Any, database: Any) -> None:
        cursor = transaction.cursor(database)
        assert cursor.set_range_dup(b"run/run-0001", lost.to_bytes(8, "big"))
        cursor.delete()

    _change(folder, b"subjects", lose, dup=True)
    reopened = Log(folder, map_bytes=MAP)
    for subjects in (["run/run-0001"], ["run/"]):
        with pytest.raises(DamagedFrame, match="lost rows"):
            list(reopened.read_all(subjects=subjects))
    assert len(list(reopened.read_all())) == 20
    reopened.close()


@pytest.mark.parametrize("table", [b"producers", b"batches"])
def test_a_changed_row_of_a_producer_is_noticed(tmp_path: Path, table: bytes) -> None:
    folder = tmp_path / "log"
    log = Log(folder, map_bytes=MAP)
    epoch = log.join("p", 0).epoch
    _commit(log, Append([step(1)], "a", producer="p", epoch=epoch, sequence=1))
    log.close()

    def flip(transaction: Any, database: Any) -> None:
        key, row = next(iter(transaction.cursor(database)))
        transaction.put(key, bytes([row[0] ^ 1]) + row[1:])

    _change(folder, table, flip)
    reopened = Log(folder, map_bytes=MAP)
    again = Append([step(1)], "a", producer="p", epoch=epoch, sequence=1)
    with pytest.raises(DamagedFrame, match="producer is damaged"):
        _commit(reopened, again)
    reopened.close()
    verdict = verify(folder)
    assert not verdict.ok
    assert "producer is damaged" in verdict.problem
    assert verdict.head == 1  # the frames themselves are good


@pytest.mark.parametrize("lost", [b"producers", b"batches"])
def test_verify_names_rows_of_a_producer_that_are_gone(tmp_path: Path, lost: bytes) -> None:
    folder = tmp_path / "log"
    log = Log(folder, map_bytes=MAP)
    epoch = log.join("p", 0).epoch
    for sequence in (1, 2, 3):
        _commit(log, Append([step(sequence)], "a", producer="p", epoch=epoch, sequence=sequence))
    log.close()
    assert verify(folder).ok
    _change(folder, lost, lambda transaction, database: transaction.delete(next(iter(transaction.cursor(database)))[0]))
    assert not verify(folder).ok


def test_verify_names_a_row_that_leads_to_no_append(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    log = Log(folder, map_bytes=MAP)
    epoch = log.join("p", 0).epoch
    _commit(log, Append([step(1), step(2)], "a", producer="p", epoch=epoch, sequence=1))
    log.close()

    def lead_elsewhere(transaction: Any, database: Any) -> None:
        key, row = next(iter(transaction.cursor(database)))
        forged = (2).to_bytes(8, "big") + row[8:-4]
        transaction.put(key, forged + zlib.crc32(key + forged).to_bytes(4, "big"))

    _change(folder, b"batches", lead_elsewhere)
    verdict = verify(folder)
    assert (verdict.ok, verdict.first_bad_position) == (False, 2)


def test_a_producer_that_never_joined_is_refused(log: Log) -> None:
    (answer,) = _commit(log, Append([step(1)], "a", producer="p", epoch=0, sequence=1))
    assert isinstance(answer, FencedEpoch)
    assert log.head.position == 0
