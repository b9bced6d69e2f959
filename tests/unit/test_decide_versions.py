"""What may be done with versions: none comes back without what it needs, and nothing that is needed is destroyed."""

import pytest
from made_events import beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.backups import Started
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event, TrainingConfig
from guessbook.proto.safety_pb2 import Backup, OperationRequest
from guessbook.server.decide import upkeep, versions
from guessbook.server.decide.operations import Circumstances, request
from guessbook.server.decide.rejection import Refused

DAY = 24 * 3600 * 1_000_000
TERM = 100
LATER = 400 * DAY  # the trash's term is over, and a sound backup was made after it
V1, V2, V3, V4 = (f"v{number:03d}_19700101_facts" for number in range(1, 5))


def add(book: Book, *events: Event) -> Book:
    return book_fold.fold(numbered(events, start=book.position + 1), book)


def family() -> Book:
    """v1 an adapter; v2 its merged model; v3 an adapter trained on v2; v4 trained on from v3."""
    book = book_fold.fold(numbered(beginning()))
    book = add(book, created("run-0001", "", files=[e.File(path="a", sha256="a" * 64)]))
    merged = created("run-0002", V1, files=[e.File(path="b", sha256="b" * 64)])
    merged.version_created.consolidation.version = V1
    return add(book, merged, created("run-0003", V2), created("run-0004", V3))


def created(run: str, parent: str, files: list[e.File] | None = None) -> Event:
    body = e.VersionCreated(slug="facts", run=run, parent=parent, dataset="d" * 64, base_model="tiny", files=files)
    return Event(subject=f"run/{run}", version_created=body)


def deleted(book: Book, *names: str) -> Book:
    events = [Event(subject=f"version/{name}", version_deleted=e.VersionDeleted(purge_after_us=TERM)) for name in names]
    return add(book, *events)


def purged(book: Book) -> list[str]:
    book.backups.started["b"] = Started("daily", "", TERM)
    book.backups.by_place["b", "here"] = Backup(id="b", place="here", created_at_us=LATER - 2 * DAY, sound=True)
    return [event.subject.removeprefix("version/") for event in upkeep.purges(book, LATER)]


@pytest.mark.parametrize("name", [V3, V4])
def test_what_was_trained_on_a_merged_model_comes_back_only_after_it(name: str) -> None:
    book = deleted(family(), V4, V3, V2)
    with pytest.raises(Refused, match=f"was trained on {V2}, which is in the trash too") as refused:
        versions.restore(book, name)
    assert refused.value.hint == f"Take that out first: guessbook restore {V2}"
    book = add(book, *versions.restore(book, V2).events)
    assert versions.restore(book, name).events


def test_an_adapter_comes_back_without_the_adapter_it_was_trained_on_from() -> None:
    """Its files hold all of it."""
    book = add(book_fold.fold(numbered(beginning())), created("run-0001", ""), created("run-0002", V1))
    assert versions.restore(deleted(book, V2, V1), V2).events


def test_a_model_whose_files_are_gone_brings_nothing_back() -> None:
    book = add(deleted(family(), V4, V3, V2), Event(subject=f"version/{V2}", version_purged=e.VersionPurged()))
    with pytest.raises(Refused, match="whose files are gone"):
        versions.restore(book, V3)


def test_the_trash_keeps_what_a_living_version_needs() -> None:
    """As an older server let it come about: the adapter is back, and the model below it is in the trash."""
    assert purged(deleted(family(), V3, V2)) == []  # v4 came from v3, and is trained on v2
    assert purged(deleted(family(), V2)) == []
    assert purged(deleted(family(), V4, V3, V2)) == [V2, V3, V4]


def test_the_trash_keeps_what_a_job_needs() -> None:
    book = deleted(family(), V4, V3, V2)
    queued = e.JobQueued(name="x", dataset="d" * 64, config=TrainingConfig(from_version=V3))
    book = add(book, Event(subject="job/train_2", job_queued=queued))
    assert purged(book) == [V4]
    book = add(book, Event(subject="job/train_2", job_cancelled=e.JobCancelled()))
    assert purged(book) == [V2, V3, V4]


def test_the_model_below_a_grandchild_is_not_deleted() -> None:
    book = deleted(family(), V3)
    asked = OperationRequest(kind="delete-version", target=V2, reason="x")
    with pytest.raises(Refused, match=f"{V4} came from {V2}"):
        request(book, asked, "1", Circumstances(now_us=1, trash_days=1))
