"""The server over real gRPC: commands, questions, time travel, reflection."""

import asyncio
import json
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from made_events import run_start, snapshot, step, write_questions
from server_process import ServerProcess

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.connection import channel
from guessbook.clients.errors import Fenced, GuessbookError, Invalid, NotFound, Rejected, Unreachable
from guessbook.clients.producer import Producer
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto import log_pb2

CONFIG = e.TrainingConfig(base_model="tiny", max_steps=5)
PATIENCE_S = 30.0


class Trainer:
    """What a trainer says, without a model."""

    def __init__(self, server: ServerProcess, folder: Path, name: str = "t") -> None:
        self.name = name
        self.producer = Producer(name, folder / f"{name}.sqlite", server.address, e.TrainerConnected(device="cpu"))
        self.producer.start()
        self.epoch = self.producer.wait_welcome(PATIENCE_S)

    def say(self, *events: e.Event) -> None:
        for event in events:
            self.producer.record(event)
        assert self.producer.flush(PATIENCE_S)

    def begin(self, book: Guessbook) -> h.Job:
        """Leases the next job and starts its run."""
        answer = book.lease(self.name, self.epoch)
        start = run_start(4, run=answer.run, job=answer.job.id, dataset=answer.job.dataset)
        started = e.JobStarted(run=answer.run)
        self.say(start, e.Event(subject=f"job/{answer.job.id}", job_started=started))
        return book.jobs().jobs[0]


def test_bytes_are_submitted_as_a_file_is(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    file = write_questions(tmp_path / "sums.jsonl", 4)
    looked = book.submit(file.read_bytes(), name="sums.jsonl", dry_run=True)
    assert (looked.form, looked.examples, looked.HasField("job")) == ("question/answer", 4, False)
    assert [example.id for example in looked.preview] == ["e0", "e1", "e2"]

    async def asynchronous() -> h.Job:
        async with AsyncGuessbook(server.address, server.home.token) as remote:
            return (await remote.submit(file.read_bytes(), name="sums.jsonl", config=CONFIG)).job

    job = asyncio.run(asynchronous())
    assert (job.name, job.dataset) == ("sums.jsonl", book.upload(file))
    assert b"".join(book.download(job.dataset)) == file.read_bytes()
    with pytest.raises(Invalid, match="bytes have no name"):
        book.submit(file.read_bytes())
    assert book.submit(b"", name="nothing.jsonl", dry_run=True).rejected


def test_verifying_tells_how_far_it_is_and_ends_with_the_verdict(server: ServerProcess, book: Guessbook) -> None:
    *_, verdict = book.verify()
    assert (verdict.done, verdict.ok, verdict.position) == (True, True, verdict.head)

    async def asynchronous() -> log_pb2.VerifyResponse:
        async with AsyncGuessbook(server.address, server.home.token) as remote:
            return [progress async for progress in remote.verify()][-1]

    assert asyncio.run(asynchronous()).ok


def test_from_a_file_to_a_trajectory(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    answer = book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    assert (answer.form, answer.examples, answer.rejected) == ("question/answer", 4, False)
    trainer = Trainer(server, tmp_path)
    job = trainer.begin(book)
    assert (job.id, job.state, job.run) == (answer.job.id, h.JOB_STATE_ACTIVE, "run-0001")
    assert book.lease(trainer.name, trainer.epoch).job.id == job.id
    trainer.say(
        *snapshot(0, [4.0] * 4, [False] * 4, job.run), step(1, job.run), *snapshot(1, [1.0] * 4, [True] * 4, job.run)
    )
    run = book.run()
    assert (run.step, run.trend, run.name) == (1, "learning", "sums.jsonl")
    story = book.trajectory("latest", "e2")
    assert [observation.correct for observation in story.observations] == [False, True]
    assert story.example.prompt == "What is 2+2?"
    assert book.examples(sort="-index", limit=1).examples[0].id == "e3"
    trainer.say(e.Event(subject=f"job/{job.id}", job_completed=e.JobCompleted(step=1)))
    assert book.jobs().jobs[0].state == h.JOB_STATE_COMPLETED
    assert not book.lease(trainer.name, trainer.epoch).HasField("job")
    trainer.producer.close()


def test_bad_lines_are_told_and_nothing_is_lost(book: Guessbook, tmp_path: Path) -> None:
    path = write_questions(tmp_path / "sums.jsonl", 197, bad=["{oops", "[]", '{"question": "q"}'])
    before = path.read_bytes()
    answer = book.submit(path, config=CONFIG)
    assert answer.rejected
    assert not answer.HasField("job")
    assert [error.line for error in answer.errors] == [198, 199, 200]
    assert "--skip-bad-lines" in answer.report
    assert "line 198: not JSON" in answer.report
    assert path.read_bytes() == before
    assert not book.jobs().jobs
    assert [event.WhichOneof("body") for event in book.read(subjects=["dataset/"])] == ["dataset_rejected"]
    answer = book.submit(path, config=CONFIG, skip_bad_lines=True)
    assert (answer.examples, answer.error_count, answer.job.state) == (197, 3, h.JOB_STATE_QUEUED)
    assert b"".join(book.download(answer.job.dataset)) == before


def test_a_dry_run_records_nothing(book: Guessbook, tmp_path: Path) -> None:
    before = book.head().position
    wanted = e.TrainingConfig(base_model="m")
    answer = book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=wanted, dry_run=True)
    assert answer.config.per_device_train_batch_size  # complete, as a job would have it
    assert [example.prompt for example in answer.preview] == ["What is 0+0?", "What is 1+1?", "What is 2+2?"]
    assert book.head().position == before


def test_what_makes_no_sense_is_turned_down(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    path = write_questions(tmp_path / "sums.jsonl", 4)
    head = book.head().position
    cases: list[tuple[type[GuessbookError], object]] = [
        (Invalid, lambda: book.submit(tmp_path / "nothing.jsonl")),
        (Invalid, lambda: book.submit(path)),
        (Invalid, lambda: book.submit(path, config=e.TrainingConfig(base_model="x", lora_r=0))),
        (Rejected, book.pause),
        (NotFound, lambda: book.pause("train_0")),
        (NotFound, book.run),
        (NotFound, lambda: book.trajectory("run-7", "#0")),
        (Invalid, lambda: book.status(h.At(position=head + 1000))),
        (NotFound, lambda: book.run("run-7", h.At(run_step=h.RunStep(run="run-7", step=3)))),
        (Fenced, lambda: book.lease("nobody", 1)),
    ]
    for kind, ask in cases:
        with pytest.raises(kind) as caught:
            ask()  # type: ignore[operator]
        assert caught.value.hint
    with pytest.raises(Unreachable, match="no server answers"), Guessbook("127.0.0.1:1") as nobody:
        nobody.head()


def test_commands_are_events_and_repeating_one_is_harmless(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    trainer = Trainer(server, tmp_path)
    job = trainer.begin(book)
    first, second = book.pause(), book.pause()
    assert first.position
    assert not second.position
    assert "already" in second.message
    assert book.snapshot().job.snapshot_pending
    with pytest.raises(Rejected, match="has not answered yet"):
        book.resume(job.id)
    paused = e.Event(subject=f"job/{job.id}", job_paused=e.JobPaused(step=2), causation=first.position)
    trainer.say(paused)
    assert book.jobs().jobs[0].state == h.JOB_STATE_PAUSED
    assert not book.lease(trainer.name, trainer.epoch).HasField("job")
    assert book.resume().job.state == h.JOB_STATE_QUEUED
    again = book.lease(trainer.name, trainer.epoch)
    assert (again.run, again.resume_step) == (job.run, 2)
    trainer.producer.close()


def test_a_killed_trainer_leaves_its_job_to_the_next(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    old = Trainer(server, tmp_path)
    job = old.begin(book)
    subscription = book.subscribe(book.head().position + 1, ["job/"])
    old.producer.close()
    told = next(answer.events[0] for answer in subscription if answer.events)
    assert told.WhichOneof("body") == "job_interrupted"
    assert book.jobs().jobs[0].state == h.JOB_STATE_INTERRUPTED
    new = Trainer(server, tmp_path, "other")
    answer = book.lease(new.name, new.epoch)
    assert (answer.job.id, answer.run) == (job.id, job.run)
    late = Trainer(server, tmp_path)
    late.producer.record(step(3, job.run))
    assert not late.producer.flush(PATIENCE_S)
    assert isinstance(late.producer.failure, Fenced)
    new.producer.close()
    late.producer.close(0)


def test_a_pause_asked_of_a_trainer_that_died_is_kept(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    trainer = Trainer(server, tmp_path)
    trainer.begin(book)
    asked = book.pause()
    subscription = book.subscribe(asked.position + 1, ["job/"])
    trainer.producer.close()
    told = next(answer.events for answer in subscription if answer.events)
    assert [event.WhichOneof("body") for event in told] == ["job_interrupted", "job_paused"]
    assert told[1].causation == asked.position


def test_the_past_is_what_was_shown_then(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    """Asks everything after every event while it happens, and again afterwards of each point."""
    book.submit(write_questions(tmp_path / "sums.jsonl", 4), config=CONFIG)
    trainer = Trainer(server, tmp_path)
    job = trainer.begin(book)
    events = [*snapshot(0, [4.0] * 4, [False] * 4, job.run)]
    for number in range(1, 31):
        events.append(step(number, job.run, examples=[0, 1], losses=[2.0, 1.0]))
        if number in (10, 25):
            events += snapshot(number, [4.0 - number / 10] * 4, [number == 25] * 4, job.run)
    shown: dict[int, tuple[object, ...]] = {}
    step_25 = 0
    for event in events:
        trainer.say(event)
        shown[book.head().position] = _everything(book, h.At())
        if event.HasField("snapshot_completed") and event.snapshot_completed.step == 25:
            step_25 = book.head().position
    for position, then in shown.items():
        assert _everything(book, h.At(position=position)) == then
    assert _everything(book, h.At(run_step=h.RunStep(run=job.run, step=25))) == shown[step_25]
    server.kill()
    server.start()
    with server.client() as again:
        assert _everything(again, h.At(position=step_25)) == shown[step_25]
    trainer.producer.close()


def _everything(book: Guessbook, at: h.At) -> tuple[object, ...]:
    return (
        book.run("run-0001", at),
        book.steps("run-0001", at),
        book.examples("run-0001", at),
        book.trajectory("run-0001", "#1", at),
        book.jobs(at),
    )


def test_a_subscription_goes_from_the_past_to_live_without_gap(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    producer = Producer("p", tmp_path / "p.sqlite", server.address)
    producer.start()
    producer.record(run_start(1))
    for number in range(1, 501):
        producer.record(step(number))
    assert producer.flush(PATIENCE_S)
    later = [step(number) for number in range(501, 3001)]
    late = threading.Thread(target=lambda: deque(map(producer.record, later)))
    seen: list[e.Event] = []
    for answer in book.subscribe(1):
        if not seen:
            late.start()
        seen += answer.events
        if seen[-1].step_completed.step == 3000:
            break
    late.join()
    assert [event.position for event in seen] == list(range(1, len(seen) + 1))
    assert [event.step_completed.step for event in seen if event.HasField("step_completed")] == list(range(1, 3001))
    producer.close()


def test_health_and_reflection_for_any_tool(server: ServerProcess, book: Guessbook) -> None:
    with channel(server.address) as connection:
        health = health_pb2_grpc.HealthStub(connection)
        for name in ("", "guessbook.v1.Log", "guessbook.v1.History"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    token = ["-H", f"authorization: Bearer {server.home.token('viewer')}", "--reflect-header", "*"]
    base = [str(Path(sys.executable).parent / "buf"), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *token]
    listed = subprocess.run(
        [*base, "--list-services", f"http://{server.address}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert {"guessbook.v1.Log", "guessbook.v1.Control", "guessbook.v1.History", "guessbook.v1.Artifacts"} <= set(
        listed.stdout.split()
    )
    called = subprocess.run(
        [*base, f"http://{server.address}/guessbook.v1.History/GetStatus"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(called.stdout)["head"] == str(book.head().position)


def test_the_server_checks_its_own_log(server: ServerProcess, book: Guessbook) -> None:
    verdict = list(book._log.Verify(log_pb2.VerifyRequest()))[-1]
    assert (verdict.done, verdict.ok, verdict.position) == (True, True, book.head().position)


def test_real_data_is_read_as_it_is(book: Guessbook, shared_data: Path, tmp_path: Path) -> None:
    lines = (shared_data / "gsm8k_train.jsonl").read_text().splitlines()[:200]
    path = tmp_path / "gsm8k.jsonl"
    path.write_text("\n".join(lines) + "\n")
    answer = book.submit(path, config=CONFIG)
    assert (answer.form, answer.examples, answer.rejected) == ("question/answer", 200, False)
    for number in (9, 99, 199):
        lines[number] = lines[number][: len(lines[number]) // 2]
    path.write_text("\n".join(lines) + "\n")
    answer = book.submit(path, config=CONFIG)
    assert [error.line for error in answer.errors] == [10, 100, 200]
    assert answer.examples == 197


def test_a_second_server_is_refused(server: ServerProcess) -> None:
    with pytest.raises(RuntimeError, match="another process has the log"):
        ServerProcess(server.home.root).start()
