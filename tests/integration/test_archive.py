"""The log's beginning, archived: read as before, also over a crash at any stage, and where the archive was moved away what comes after it goes on."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from durability.ledger import Ledger, compare
from durability.sender import Sender
from made_events import run_start, step
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto import history_pb2 as h
from guessbook.proto.events_pb2 import Event
from guessbook.store.verify import verify

BATCHES = 30


class Archived:
    """A data folder whose log is archived up to a signed checkpoint, and what was known before."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger()
        self.server = ServerProcess(root)
        with self.server:
            self.send(BATCHES)
            with self.server.client() as book:
                producer = book.producer("trainer")
                for event in [run_start(2), *map(step, range(1, 40))]:
                    producer.record(event)
                producer.close()
        with self.server:
            self.send(2 * BATCHES)
            with self.server.client() as book:
                self.before = self.events(book)
                self.told = book.archive(reason="tidy").archived
                self.file = self.server.home.log / "archive" / self.told.file

    def send(self, last: int) -> None:
        """Also what was sent before, as a producer does that lost all acknowledgements."""
        sender = Sender("p", self.server.address, self.ledger, last=last)
        sender.start()
        sender.join(30)
        assert sender.acknowledged == last, sender.refusals

    def events(self, book: Guessbook, position: int = 1) -> list[Event]:
        return list(book.read(position))


@pytest.fixture
def archived(tmp_path: Path) -> Archived:
    return Archived(tmp_path / "home")


def test_what_is_archived_is_read_as_before(archived: Archived) -> None:
    assert archived.told.first_position == 1
    assert archived.told.last_position > 5 * BATCHES
    with archived.server as server, server.client() as book:
        events = archived.events(book)
        assert events[: len(archived.before)] == archived.before
        (said,) = [event.history_archived for event in events if event.HasField("history_archived")]
        assert said == archived.told
        middle = archived.told.last_position // 2
        assert archived.events(book, middle) == events[middle - 1 :]
        mine = [event for event in events if event.subject == "run/p"]
        assert list(book.read(subjects=["run/p"])) == mine
        assert list(book.events(limit=1000).events) == events[::-1]
        assert book.status(h.At(time_us=events[middle].recorded_at_us)).position >= middle
        assert book.run("latest").step == 39
        assert book.prove(middle).leaf == events[middle - 1].SerializeToString(deterministic=True)


def test_a_batch_that_was_archived_is_stored_once_all_the_same(archived: Archived) -> None:
    with archived.server as server:
        archived.send(2 * BATCHES + 3)
        with server.client() as book:
            found = compare(archived.ledger.positions(), _of_senders(archived.events(book)))
    assert found.unharmed, found
    assert archived.ledger.moved == 0


def test_verify_reads_the_archive_too(archived: Archived) -> None:
    verdict = verify(archived.server.home.log)
    assert verdict.ok
    assert [(one.first_position, one.present) for one in verdict.archives] == [(1, True)]


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.97, 0.9999])
def test_a_flipped_bit_in_an_archive_is_found_and_never_served(archived: Archived, part: float) -> None:
    data = bytearray(archived.file.read_bytes())
    good = bytes(data)
    data[int(part * len(data))] ^= 1
    archived.file.chmod(0o644)
    archived.file.write_bytes(data)
    verdict = verify(archived.server.home.log)
    assert not verdict.ok
    assert "archive" in verdict.problem
    server = archived.server.start()
    try:
        with server.client() as book:
            served: list[Event] = []
            with contextlib.suppress(GuessbookError):
                served.extend(book.read())
            assert all(mine == theirs for mine, theirs in zip(served, archived.before, strict=False))
    finally:
        server.stop()
        archived.file.write_bytes(good)
    assert verify(archived.server.home.log).ok


@pytest.fixture
def without(archived: Archived, tmp_path: Path) -> Iterator[Archived]:
    """The archive was moved away, and so was everything that can be deleted."""
    kept = tmp_path / "elsewhere"
    shutil.move(archived.file, kept)
    shutil.rmtree(archived.server.home.cache, ignore_errors=True)
    yield archived
    shutil.move(kept, archived.file)
    with archived.server as server, server.client() as book:
        assert archived.events(book)[: len(archived.before)] == archived.before


def test_where_the_archive_is_absent_everything_behind_it_goes_on(without: Archived) -> None:
    cut = without.told.last_position
    with without.server as server:
        without.send(2 * BATCHES + 3)
        with server.client() as book:
            with pytest.raises(
                GuessbookError, match=f"{without.told.file}.*{without.told.sha256}.*Put it back"
            ) as absent:
                without.events(book)
            assert f"from position {cut + 1} on" in str(absent.value)
            later = without.events(book, cut + 1)
            assert later[: len(without.before) - cut] == without.before[cut:]
            assert list(book.read(cut + 1, subjects=["run/p"])) == [one for one in later if one.subject == "run/p"]
            newest = book.events(subjects=["run/"], limit=1000)
            assert list(newest.events) == [one for one in later if one.subject.startswith("run/")][::-1]
            assert newest.next == cut + 1
            with pytest.raises(GuessbookError, match="were archived in"):
                book.events(before=newest.next)
            assert book.run("latest").step == 39  # what was folded before the cut is known
            with pytest.raises(GuessbookError, match="a proof is made from every event before it"):
                book.prove(cut + 1)
            with pytest.raises(GuessbookError, match="were archived in"):
                book.status(h.At(position=cut - 1))
            assert book.status(h.At(position=cut + 1)).position == cut + 1
            assert book.status(h.At(time_us=later[5].recorded_at_us)).position > cut
    verdict = verify(server.home.log)
    assert verdict.ok, verdict
    assert [one.present for one in verdict.archives] == [False]
    assert max(one.size for one in verdict.checkpoints) == verdict.head  # signed at the stop, over what isn't here too


def test_the_book_at_the_cut_is_made_anew_as_long_as_the_archive_is_there(archived: Archived, tmp_path: Path) -> None:
    """As after an update, whose folds are others: then the archive can be moved away again."""
    (book,) = archived.file.parent.glob("*.book")
    book.unlink()
    shutil.rmtree(archived.server.home.cache, ignore_errors=True)
    with archived.server:
        pass
    assert book.exists()
    book.unlink()
    shutil.rmtree(archived.server.home.cache, ignore_errors=True)
    shutil.move(archived.file, tmp_path / "elsewhere")
    with pytest.raises(RuntimeError, match="Put it back"):
        archived.server.start()
    shutil.move(tmp_path / "elsewhere", archived.file)
    assert verify(archived.server.home.log).ok


def test_a_second_archive_goes_on_behind_the_first(archived: Archived) -> None:
    with archived.server as server, server.client() as book:
        second = book.archive(reason="more").archived
        assert second.first_position == archived.told.last_position + 1
        assert archived.events(book)[: len(archived.before)] == archived.before
    assert [one.present for one in verify(server.home.log).archives] == [True, True]


def test_nothing_is_archived_without_a_reason_or_a_signed_checkpoint(archived: Archived) -> None:
    with archived.server as server, server.client() as book:
        with pytest.raises(GuessbookError, match="reason"):
            book.archive(reason=" ")
        with pytest.raises(GuessbookError, match="already"):
            book.archive(archived.told.last_position, reason="again")
        with pytest.raises(GuessbookError, match="no checkpoint was signed"):
            book.archive(archived.told.last_position + 1, reason="in the middle")
        plan = book.archive(reason="only asked", dry_run=True)
        assert plan.position == 0
        assert [one.name for one in sorted((server.home.log / "archive").glob("*.frames"))] == [archived.told.file]


def _of_senders(events: list[Event]) -> Iterator[Event]:
    """The trainer's events, which the ledger knows nothing of, without what makes them a run's."""
    for event in events:
        if event.subject.startswith("run/") and event.subject != "run/p":
            event.subject = "other"
        yield event
