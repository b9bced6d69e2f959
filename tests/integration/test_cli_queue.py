"""The queue from the command line, against a real server: who goes first, who waits for whom, and what is said of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.scripted import ScriptedTrainer
from server_process import ServerProcess
from terminal import DEADLINE_S, Terminal

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2, history_pb2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """The scripted trainer may stay away as long as it likes."""
    with ServerProcess(tmp_path / "home", trainer_grace=60, start_grace=60, base_model="some/model") as process:
        yield process


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps({"question": f"{n}+{n}?", "answer": str(2 * n)}) + "\n" for n in range(3)))
    return file


def submitted(book: Guessbook, facts: Path, name: str, *, after: str = "", max_steps: int = 20) -> str:
    """The new job's id."""
    config = events_pb2.TrainingConfig(max_steps=max_steps, snapshots=False)
    return book.submit(facts, name=name, config=config, after=[after] if after else []).job.id


def names(book: Guessbook) -> list[str]:
    return [job.name for job in book.jobs().jobs]


def test_jobs_are_put_in_order_by_hand(terminal: Terminal, facts: Path, book: Guessbook) -> None:
    a, b, c = (submitted(book, facts, name) for name in "abc")
    assert names(book) == ["a", "b", "c"]
    assert "in front" in terminal.run("move", c, "--front").stdout
    assert names(book) == ["c", "a", "b"]
    terminal.json("move", b, "--before", a)
    assert names(book) == ["c", "b", "a"]
    said = terminal.run("priority", a, "urgent")
    assert "urgent" in said.stdout
    assert names(book) == ["a", "c", "b"]
    terminal.json("move", c, "--back")
    assert names(book) == ["a", "b", "c"]
    assert terminal.run("move", c).returncode == 2
    assert terminal.run("move", c, "--front", "--back").returncode == 2


def test_a_waiting_job_is_cancelled_at_once_and_those_after_it_are_told(
    terminal: Terminal, facts: Path, book: Guessbook
) -> None:
    first = submitted(book, facts, "first")
    submitted(book, facts, "second", after=first)
    said = terminal.run("cancel", first)
    assert said.returncode == 0, said.stderr
    assert "cancelled" in said.stdout
    assert terminal.run("cancel", first).returncode == 0  # once more is harmless
    told = terminal.run("queue", "--explain").stdout
    assert f"waits for {first} (after), which was cancelled" in " ".join(told.split())
    assert book.status().cancelled == 1
    missing = terminal.run("submit", str(facts), "--model", "some/model", "--after", "train_none")
    assert (missing.returncode, "there is no job train_none" in missing.stderr) == (4, True)


def test_the_queue_is_paused_for_everybody_to_see(terminal: Terminal, facts: Path, book: Guessbook) -> None:
    submitted(book, facts, "a")
    assert "paused" in terminal.run("queue", "pause", "--reason", "the GPU is needed").stdout
    for words in (["queue"], ["queue", "--explain"], ["status"]):
        assert "The queue is paused: the GPU is needed" in terminal.run(*words).stdout
    assert terminal.json("queue", "--explain")["jobs"][0]["why"].startswith("the queue is paused: the GPU is needed")
    assert terminal.json("queue", "on")["state"] == "QUEUE_STATE_ON"
    assert "The queue is" not in terminal.run("status").stdout
    assert terminal.run("queue", "on", "--explain").returncode == 2
    assert terminal.run("queue", "--reason", "none").returncode == 2


def test_resume_says_at_once_what_a_job_waits_for(terminal: Terminal, facts: Path, book: Guessbook) -> None:
    job = submitted(book, facts, "a")
    assert terminal.run("pause", job).returncode == 0
    assert "It waits: no trainer is connected." in terminal.run("resume").stdout
    assert terminal.run("pause", job).returncode == 0
    terminal.run("queue", "off", "--reason", "lent")
    assert "It waits: the queue is off: lent; `guessbook queue on` lets it go on." in terminal.run("resume").stdout


def test_estimates_come_from_what_was_measured(
    terminal: Terminal, facts: Path, trainer: ScriptedTrainer, book: Guessbook
) -> None:
    submitted(book, facts, "running")
    submitted(book, facts, "waiting", max_steps=40)
    trainer.take(total_steps=20, examples=3)
    trainer.steps(1, 10, [1.0, 1.0, 1.0])
    running, waiting = terminal.json("queue", "--explain")["jobs"]
    assert running["why"] == "runs on scripted: step 10 of 20"
    assert running["basis"].startswith("its own pace")
    assert waiting["why"] == f"next: scripted takes it when {running['job']} is done"
    assert running["ends_at_us"] == waiting["starts_at_us"] < waiting["ends_at_us"]
    shown = terminal.run("queue", "--explain").stdout
    assert "All of it is done about" in " ".join(shown.split())


def test_skip_and_cancel_wait_for_the_trainer(
    terminal: Terminal, facts: Path, trainer: ScriptedTrainer, book: Guessbook
) -> None:
    submitted(book, facts, "a")
    trainer.take(total_steps=20, examples=3)
    trainer.steps(1, 2, [1.0, 1.0, 1.0])

    def answered(verb: str, asked: str, **answer: object) -> str:
        asking = terminal.start(verb)
        subject = f"job/{trainer.job}"
        events = (event for told in book.subscribe(1, [subject]) for event in told.events)
        request = next(event for event in events if event.HasField(asked))  # type: ignore[arg-type]
        assert asking.poll() is None
        trainer.producer.record(events_pb2.Event(subject=subject, causation=request.position, **answer))  # type: ignore[arg-type]
        out, _ = asking.communicate(timeout=DEADLINE_S)
        assert asking.returncode == 0
        return " ".join(out.split())

    skipped = events_pb2.BatchSkipped(step=3, example_index=[0, 1, 2])
    said = answered("skip", "batch_skip_requested", batch_skipped=skipped)
    assert "step 3 made no update: its 3 examples were left out" in said
    cancelled = events_pb2.JobCancelled(step=3, checkpoint="checkpoint-3")
    said = answered("cancel", "cancel_requested", job_cancelled=cancelled)
    assert "cancelled after step 3: what it has trained is kept" in said
    assert [job.state for job in book.jobs().jobs] == [history_pb2.JOB_STATE_CANCELLED]


def test_a_file_configures_a_job_and_options_go_first(terminal: Terminal, facts: Path, tmp_path: Path) -> None:
    config = tmp_path / "job.yaml"
    config.write_text(
        "model_name_or_path: other/model\nlora_rank: 8\nlearning_rate: 5e-4\ntarget_modules: [q_proj, v_proj]\n"
        "priority: high\nname: from the file\nmemory: 40GB\n"
    )
    options = ["--config", str(config), "--lora-r", "4", "--lora-target-modules", "o_proj", "--devices", "2"]
    job = terminal.json("submit", str(facts), *options)["job"]
    assert (job["name"], job["priority"]) == ("from the file", "PRIORITY_HIGH")
    assert job["needs"] == {"devices": 2, "memory_bytes": 40_000_000_000}
    told = job["config"]
    assert (told["base_model"], told["lora_r"], told["learning_rate"]) == ("other/model", 4, 5e-4)
    assert told["lora_target_modules"] == ["o_proj"]


def test_a_wrong_file_names_the_line_and_queues_nothing(
    terminal: Terminal, facts: Path, tmp_path: Path, book: Guessbook
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("lora_r: 8\nlerning_rate: 5e-4\n")
    done = terminal.run("submit", str(facts), "--config", str(config))
    assert done.returncode == 2
    assert f"{config}: line 2: lerning_rate is unknown; did you mean learning_rate" in done.stderr.replace("\n", " ")
    config.write_text("lr_scheduler_type: cosin\n")
    done = terminal.run("submit", str(facts), "--config", str(config))
    assert done.returncode == 2
    assert "Did you mean cosine?" in done.stderr
    assert terminal.run("submit", str(facts), "--memory", "lots").returncode == 2
    assert names(book) == []
