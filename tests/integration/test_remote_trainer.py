"""A trainer whose data folder is not the server's, as on another machine: its files come and go over gRPC."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess
from tiny_model import make_tiny_model
from trainer_thread import Working, submit

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Event, JobResumed
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED, JOB_STATE_INTERRUPTED
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def elsewhere(server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder of another machine, whose owner was given a trainer's token."""
    monkeypatch.setenv("GUESSBOOK_TOKEN", server.home.token("trainer"))
    return Home(tmp_path / "elsewhere")


@pytest.fixture
def book(server: ServerProcess, elsewhere: Home) -> Iterator[Guessbook]:
    with Guessbook(server.address, (server.home.tokens / "admin").read_text().strip()) as client:
        yield client


def test_it_fetches_the_dataset_and_leaves_version_and_report_at_the_server(
    server: ServerProcess, book: Guessbook, elsewhere: Home, model: Path
) -> None:
    first = submit(book, server.home, model)
    with Working(elsewhere, book, once=True) as trainer:
        trainer.join()
    (job,) = book.jobs().jobs
    assert (job.id, job.state) == (first, JOB_STATE_COMPLETED)
    (version,) = book.versions().versions
    stored = Artifacts(server.home.artifacts)
    assert [stored.is_whole(file.sha256) for file in version.files] == [True, True]
    assert stored.is_whole(book.run().report)
    assert Artifacts(elsewhere.artifacts).is_whole(job.dataset)

    submit(book, server.home, model, from_version=version.name)
    with Working(elsewhere, book, once=True) as trainer:
        trainer.join()
    assert [job.state for job in book.jobs().jobs] == [JOB_STATE_COMPLETED] * 2
    assert sorted(one.parent for one in book.versions().versions) == ["", version.name]


def test_its_checkpoints_are_its_own_and_another_trainer_begins_the_run_anew(
    server: ServerProcess, book: Guessbook, elsewhere: Home, model: Path
) -> None:
    submit(book, server.home, model, max_steps=60, save_steps=5)
    with Working(elsewhere, book):
        _wait_for(book, "checkpoint_saved")
    interrupted = _wait_for(book, "job_interrupted")
    assert [job.state for job in book.jobs().jobs] == [JOB_STATE_INTERRUPTED]
    assert list((elsewhere.checkpoints / "run-0001").glob("checkpoint-*"))
    with Working(server.home, book, once=True) as trainer:
        trainer.join()
    assert [job.state for job in book.jobs().jobs] == [JOB_STATE_COMPLETED]
    resumed = _wait_for(book, "job_resumed", interrupted.position).job_resumed
    assert resumed == JobResumed(step=0, run="run-0001")
    assert list(book.steps().step) == list(range(1, 61))


def _wait_for(book: Guessbook, kind: str, position: int = 1) -> Event:
    for answer in book.subscribe(position):
        for event in answer.events:
            if event.WhichOneof("body") == kind:
                return event
    raise AssertionError("a subscription does not end")
