"""The queue over real gRPC: what is submitted, moved, cancelled and turned off is so for every client, now and in the past."""

from pathlib import Path

import pytest
from made_events import write_questions
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Forbidden, NotFound, Rejected
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h

CONFIG = e.TrainingConfig(base_model="tiny", max_steps=5)


def test_order_dependencies_needs_and_cancelling(book: Guessbook, tmp_path: Path) -> None:
    path = write_questions(tmp_path / "sums.jsonl", 4)
    first = book.submit(path, name="first", config=CONFIG).job
    second = book.submit(path, name="second", config=CONFIG, after=[first.id], needs=e.Needs(devices=2)).job
    third = book.submit(path, name="third", config=CONFIG, priority=e.PRIORITY_LOW).job
    assert (list(second.after), second.needs.devices) == ([first.id], 2)
    assert [job.name for job in book.jobs().jobs] == ["first", "second", "third"]
    moved = book.move(third.id, before=first.id)
    assert [job.name for job in book.jobs().jobs] == ["third", "first", "second"]
    assert moved.job.priority == e.PRIORITY_NORMAL
    assert [job.name for job in book.jobs(h.At(position=moved.position - 1)).jobs] == ["first", "second", "third"]
    cancelled = book.cancel(first.id)
    assert cancelled.job.state == h.JOB_STATE_CANCELLED
    assert not book.cancel(first.id).position
    assert (book.status().cancelled, book.status().queued) == (1, 2)
    why = {outlook.job: outlook.why for outlook in book.explain().jobs}
    assert first.id in why[second.id]
    with pytest.raises(NotFound):
        book.submit(path, config=CONFIG, after=["train_0"])
    with pytest.raises(Rejected, match="would never run"):
        book.submit(path, config=CONFIG, after=[first.id])


def test_everybody_sees_that_the_queue_is_off_and_why(server: ServerProcess, book: Guessbook) -> None:
    answer = book.set_queue(e.QUEUE_STATE_OFF, reason="the GPU is lent")
    assert (answer.state, bool(answer.position)) == (e.QUEUE_STATE_OFF, True)
    assert not book.set_queue(e.QUEUE_STATE_OFF).position
    with Guessbook(server.address, server.home.token("viewer")) as viewer:
        status = viewer.status()
        assert (status.queue, status.queue_reason) == (e.QUEUE_STATE_OFF, "the GPU is lent")
        assert viewer.explain().reason == "the GPU is lent"
        with pytest.raises(Forbidden):
            viewer.set_queue(e.QUEUE_STATE_ON)
    server.kill()
    server.start()
    with server.client() as again:
        assert again.status().queue == e.QUEUE_STATE_OFF
        assert again.set_queue(e.QUEUE_STATE_ON).message == "The queue is on."
