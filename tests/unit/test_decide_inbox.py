"""What becomes of a file of the inbox, and what its report says."""

import pytest
from made_events import DATASET, JOB, beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.server.decide import inbox
from guessbook.server.decide.jobs import Decision

RECEIVED = e.FileReceived(file="inbox/normal/facts.jsonl", sha256=DATASET, moved_to="data/active/20261122_facts.jsonl")
QUEUED = Decision("train_2", "queued", [e.Event(subject="job/train_2", job_queued=e.JobQueued(dataset=DATASET))])


def folded(*more: e.Event) -> Book:
    return book_fold.fold(numbered([*beginning(), *more]))


def of_job(**body: object) -> e.Event:
    return e.Event(subject=f"job/{JOB}", **body)  # type: ignore[arg-type]


def test_the_commit_that_queues_says_where_the_file_is() -> None:
    decision = inbox.queued(Book(), QUEUED, RECEIVED)
    queued, received = decision.events
    assert queued.job_queued.file == RECEIVED.moved_to
    assert (received.subject, received.file_received.job) == ("inbox", "train_2")
    assert received.file_received.moved_to == RECEIVED.moved_to


def test_content_that_is_a_job_is_known() -> None:
    with pytest.raises(inbox.Known, match=f"the same content is job {JOB} already"):
        inbox.queued(folded(), QUEUED, RECEIVED)
    completed = of_job(job_completed=e.JobCompleted(step=1))
    with pytest.raises(inbox.Known):
        inbox.queued(folded(completed), QUEUED, RECEIVED)


@pytest.mark.parametrize(
    "ended",
    [of_job(job_failed=e.JobFailed(error="no room")), of_job(job_cancelled=e.JobCancelled())],
    ids=["failed", "cancelled"],
)
def test_content_that_came_to_nothing_is_another_try(ended: e.Event) -> None:
    assert inbox.queued(folded(ended), QUEUED, RECEIVED).events


def test_the_files_of_completed_jobs_are_put_away_once() -> None:
    active = e.FileReceived(file="inbox/normal/facts.jsonl", moved_to="data/active/facts.jsonl", job=JOB)
    put_away = e.FileReceived(file="data/active/facts.jsonl", moved_to="data/completed/facts.jsonl", job=JOB)
    told = [e.Event(subject="inbox", file_received=one) for one in (active, put_away)]
    completed = of_job(job_completed=e.JobCompleted(step=1))
    assert inbox.to_put_away(folded(told[0]), "data/active") == []
    assert [job.id for job in inbox.to_put_away(folded(told[0], completed), "data/active")] == [JOB]
    assert inbox.to_put_away(folded(told[0], completed, told[1]), "data/active") == []


def test_a_report_names_the_file_who_why_and_the_lines() -> None:
    told = e.FileReceived(
        file="inbox/normal/a.jsonl", moved_to="inbox/rejected/a_2.jsonl", reason="1 of 2 lines can't be read."
    )
    lines = [e.LineError(line=2, reason="not JSON", text="oops")]
    assert inbox.report(told, "owner:ann", 1_000_000, lines, "Mend it.") == (
        "inbox/normal/a.jsonl (owner:ann) became no job, 1970-01-01 00:00:01 UTC.\n\n"
        "1 of 2 lines can't be read.\n"
        "  line 2: not JSON: oops\n\n"
        "The file lies here as it was: inbox/rejected/a_2.jsonl. Nothing was deleted.\n"
        "Mend it.\n"
    )
