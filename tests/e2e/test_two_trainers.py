"""Two trainers on one queue: real processes, one of them killed, one of them stopped and woken up too late."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.processes import TrainerProcess
from made_events import write_questions
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h

JOBS = 6
STEPS = 60
EVERY = 10  # steps: a checkpoint
NAMES = ("one", "two")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """One that notices within seconds that a trainer is silent."""
    with ServerProcess(tmp_path / "home", start_grace=3, options=["--trainer-heartbeat", "1"]) as process:
        yield process


@pytest.fixture
def trainers(server: ServerProcess) -> Iterator[dict[str, TrainerProcess]]:
    """Both at the server, before there is a job."""
    with ExitStack() as opened, server.client() as book:
        started = {name: opened.enter_context(TrainerProcess(server.home.root, server.address, name)) for name in NAMES}
        for name in NAMES:
            _until(book, "trainer_connected", f"trainer/{name}")
        yield started


def _submit(book: Guessbook, folder: Path, model: Path, steps: int = STEPS) -> str:
    config = e.TrainingConfig(
        base_model=str(model),
        max_steps=steps,
        save_steps=EVERY,
        snapshot_steps=[25],
        max_new_tokens=4,
        lora_dropout=0.1,
        per_device_train_batch_size=3,
        gradient_accumulation_steps=2,
    )
    return book.submit(write_questions(folder / "sums.jsonl", 8), config=config).job.id


def _events(book: Guessbook, after: int = 0) -> Iterator[e.Event]:
    """All that is and will be in the log, behind a position."""
    for answer in book.subscribe(after + 1):
        for event in answer.events:
            assert not event.HasField("job_failed"), event.job_failed.error
            yield event


def _until(book: Guessbook, kind: str, subject: str, after: int = 0) -> e.Event:
    return next(one for one in _events(book, after) if one.WhichOneof("body") == kind and one.subject == subject)


def _jobs(book: Guessbook) -> dict[str, h.Job]:
    return {job.id: job for job in book.jobs().jobs}


def _leases(book: Guessbook) -> dict[str, list[str]]:
    """By job: the trainers that had it, in order."""
    leases: dict[str, list[str]] = {}
    for event in book.read():
        if event.HasField("job_leased"):
            leases.setdefault(event.subject.removeprefix("job/"), []).append(event.job_leased.trainer)
    return leases


def _adapters(book: Guessbook) -> dict[str, str]:
    """By job: the content hash of its version's weights."""
    return {
        version.job: file.sha256
        for version in book.versions().versions
        for file in version.files
        if file.path == "adapter_model.safetensors"
    }


def _killable(book: Guessbook) -> tuple[str, str]:
    """The trainer and the job, once both trainers have completed something and this one is past a checkpoint of its next job."""
    trainer: dict[str, str] = {}
    done: set[str] = set()
    job_of: dict[str, str] = {}
    for event in _events(book):
        if event.HasField("job_leased"):
            trainer[event.subject], job_of[f"run/{event.job_leased.run}"] = event.job_leased.trainer, event.subject
        elif event.HasField("job_completed"):
            done.add(trainer[event.subject])
        elif event.step_completed.step >= 2 * EVERY + 5 and done == set(NAMES):
            subject = job_of[event.subject]
            if _jobs(book)[subject.removeprefix("job/")].state == h.JOB_STATE_ACTIVE:
                return trainer[subject], subject.removeprefix("job/")
    raise AssertionError("a subscription does not end")


def test_both_are_busy_no_job_runs_twice_and_a_killed_ones_job_goes_on_at_the_other(
    server: ServerProcess, trainers: dict[str, TrainerProcess], book: Guessbook, tmp_path: Path, model: Path
) -> None:
    jobs = [_submit(book, tmp_path, model) for _ in range(JOBS)]
    name, broken = _killable(book)
    trainers[name].kill()
    (other,) = set(NAMES) - {name}
    interrupted = _until(book, "job_interrupted", f"job/{broken}")
    assert interrupted.job_interrupted.trainer == name
    resumed = _until(book, "job_resumed", f"job/{broken}").job_resumed
    assert resumed.step in (2 * EVERY, 3 * EVERY, 4 * EVERY, 5 * EVERY)
    for job in jobs:
        _until(book, "job_completed", f"job/{job}")

    leases = _leases(book)
    assert leases.pop(broken) == [name, other]
    assert [len(held) for held in leases.values()] == [1] * (JOBS - 1)
    assert set(Counter(held[0] for held in leases.values())) == set(NAMES)
    assert {job.state for job in _jobs(book).values()} == {h.JOB_STATE_COMPLETED}
    for run in book.runs().runs:
        assert list(book.steps(run.id).step) == list(range(1, STEPS + 1))
    # The same data and the same config: whoever trained it, and however often it was interrupted.
    assert len(_adapters(book)) == JOBS
    assert len(set(_adapters(book).values())) == 1


def test_one_that_hangs_is_replaced_and_fenced_and_then_takes_the_next_job(
    server: ServerProcess, trainers: dict[str, TrainerProcess], book: Guessbook, tmp_path: Path, model: Path
) -> None:
    first = _submit(book, tmp_path, model, steps=400)
    run = _until(book, "job_leased", f"job/{first}").job_leased
    name, (other,) = run.trainer, set(NAMES) - {run.trainer}
    next(event for event in _events(book) if event.step_completed.step >= 2 * EVERY + 5)
    trainers[name].signal(signal.SIGSTOP)
    lost = _until(book, "job_interrupted", f"job/{first}")
    resumed = _until(book, "job_resumed", f"job/{first}", lost.position)
    assert resumed.job_resumed.step >= 2 * EVERY
    assert _jobs(book)[first].trainer == other

    second = _submit(book, tmp_path, model)
    woken = book.head().position
    trainers[name].signal(signal.SIGCONT)
    again = _until(book, "job_leased", f"job/{second}", woken).job_leased
    assert (again.trainer, again.epoch) == (name, run.epoch + 1)
    for job in (first, second):
        _until(book, "job_completed", f"job/{job}")
    assert _leases(book) == {first: [name, other], second: [name]}

    # What the log has of the run since it was resumed is one trainer's, step by step.
    assert _trained(book, run.run, resumed) == list(range(resumed.job_resumed.step + 1, 401))
    assert list(book.steps(run.run).step) == list(range(1, 401))
    assert "It goes on with the next job" in (server.home.root / f"{name}.log").read_text()


def test_what_one_recorded_while_nobody_could_hear_it_is_refused_and_kept(
    server: ServerProcess, trainers: dict[str, TrainerProcess], book: Guessbook, tmp_path: Path, model: Path
) -> None:
    job = _submit(book, tmp_path, model, steps=400)
    run = _until(book, "job_leased", f"job/{job}").job_leased
    late = trainers[run.trainer]
    next(event for event in _events(book) if event.step_completed.step >= 2 * EVERY + 5)
    server.kill()
    checkpoints = server.home.checkpoints / run.run
    known = {path.name for path in checkpoints.iterdir()}
    while not any(path.name.startswith("checkpoint-") and path.name not in known for path in checkpoints.iterdir()):
        time.sleep(0.01)  # it goes on without the server
    late.signal(signal.SIGSTOP)
    server.start()
    with server.client() as again:
        lost = _until(again, "job_interrupted", f"job/{job}")
        resumed = _until(again, "job_resumed", f"job/{job}", lost.position)
        late.signal(signal.SIGCONT)
        _until(again, "job_completed", f"job/{job}")
        taken_in = [event for event in _connections(again) if event.subject == f"trainer/{run.trainer}"]
        assert taken_in[-1].trainer_connected.epoch == run.epoch + 1
        assert _trained(again, run.run, resumed) == list(range(resumed.job_resumed.step + 1, 401))
        assert list(again.steps(run.run).step) == list(range(1, 401))
    (aside,) = (server.home.spool / "superseded").glob("*.sqlite")
    assert aside.name.startswith(f"{run.trainer}_{run.epoch}_")
    assert str(aside) in (server.home.root / f"{run.trainer}.log").read_text()


def _connections(book: Guessbook) -> list[e.Event]:
    return [event for event in book.read(1, ["trainer/"]) if event.HasField("trainer_connected")]


def _trained(book: Guessbook, run: str, since: e.Event) -> list[int]:
    """What the log itself has of a run behind an event: the steps that were recorded, doubles and all."""
    events = book.read(since.position, [f"run/{run}"])
    return [event.step_completed.step for event in events if event.HasField("step_completed")]
