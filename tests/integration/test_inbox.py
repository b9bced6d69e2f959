"""The inbox of a real server: what becomes of each kind of file, and that a crash at any moment neither loses one nor queues it twice."""

import asyncio
import getpass
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eventually import eventually
from made_events import write_questions
from made_versions import ScriptedTrainer
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto.control_pb2 import SubmitJobRequest, SubmitJobResponse
from guessbook.server.inbox import Inbox
from guessbook.server.live_book import LiveBook
from guessbook.server.submission import Submission
from guessbook.store import dropped_file
from guessbook.store.artifacts import Artifacts, file_sha256
from guessbook.store.log import Log

CONFIG = "inbox: {settled_s: 0.2, max_bytes: 100000}\n"
ME = f"owner:{getpass.getuser()}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Files are complete after a fifth of a second."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.yaml").write_text(CONFIG)
    with ServerProcess(tmp_path / "home", base_model="tiny") as process:
        yield process


def put(server: ServerProcess, path: Path, folder: str = "normal", name: str = "") -> Path:
    """Puts a file into the inbox, under another name if one is given, at once and whole."""
    target = server.home.inbox / folder / (name or path.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(path, target)
    return target


def received(book: Guessbook, count: int = 1) -> list[e.Event]:
    """What the log says of files, when it says it of so many."""

    def told() -> list[e.Event]:
        found = list(book.read(subjects=["inbox"]))
        return found if len(found) >= count else []

    return eventually(told)


def rejected(server: ServerProcess, book: Guessbook, name: str, count: int = 1) -> tuple[e.FileReceived, str]:
    """What the log and what the report say of a file, when it lies among the rejected."""
    told = received(book, count)[-1].file_received
    assert told.moved_to == f"inbox/rejected/{name}"
    eventually(lambda: os.path.lexists(server.home.root / told.moved_to))
    return told, (server.home.rejected / f"{name}.report.txt").read_text()


def test_a_file_becomes_a_job(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    path = write_questions(tmp_path / "facts.jsonl", 5)
    content = path.read_bytes()
    put(server, path)
    event = received(book)[0]
    job = book.jobs().jobs[0]
    assert (job.name, job.priority, job.state) == ("facts.jsonl", e.PRIORITY_NORMAL, h.JOB_STATE_QUEUED)
    assert (event.actor, event.file_received.file, event.file_received.job) == (ME, "inbox/normal/facts.jsonl", job.id)
    assert job.file == event.file_received.moved_to
    assert job.file.startswith("data/active/20")
    assert job.file.endswith("_facts.jsonl")
    moved = server.home.root / job.file
    eventually(moved.exists)
    assert moved.read_bytes() == content
    assert file_sha256(moved) == job.dataset
    assert list((server.home.inbox / "normal").iterdir()) == []
    assert book.status().queued == 1


def test_the_folder_gives_the_priority(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    put(server, write_questions(tmp_path / "normal.jsonl", 5), "normal")
    received(book)
    put(server, write_questions(tmp_path / "first.jsonl", 6), "priority")
    received(book, 2)
    jobs = book.jobs().jobs
    assert [(job.name, job.priority) for job in jobs] == [
        ("first.jsonl", e.PRIORITY_HIGH),
        ("normal.jsonl", e.PRIORITY_NORMAL),
    ]


def test_a_completed_jobs_file_is_put_away(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    (tmp_path / "facts.yaml").write_text("lora_r: 4\n")
    put(server, tmp_path / "facts.yaml")
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    received(book)
    trainer = ScriptedTrainer(server, tmp_path)
    job = book.lease(trainer.name, trainer.epoch).job
    active = server.home.root / job.file
    eventually(active.exists)
    trainer.say(e.Event(subject=f"job/{job.id}", job_completed=e.JobCompleted(step=1)))
    trainer.close()
    told = received(book, 2)[1]
    completed = server.home.completed / active.name
    assert (told.actor, told.file_received.moved_to) == ("server", f"data/completed/{active.name}")
    assert book.jobs().jobs[0].file == f"data/completed/{active.name}"
    assert file_sha256(completed) == job.dataset
    assert completed.with_suffix(".yaml").read_text() == "lora_r: 4\n"
    assert list(server.home.active.iterdir()) == []


def test_a_file_with_bad_lines_is_rejected_and_they_are_named(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    path = write_questions(tmp_path / "bad.jsonl", 5, bad=["oops", '{"question": "q"}'])
    content = path.read_bytes()
    put(server, path)
    told, report = rejected(server, book, "bad.jsonl")
    assert (told.job, told.reason) == ("", "2 of 7 lines can't be read.")
    assert "line 6: not JSON" in report
    assert 'line 7: field "answer" is missing' in report
    assert "skip_bad_lines: true" in report
    assert (server.home.rejected / "bad.jsonl").read_bytes() == content
    assert not book.jobs().jobs
    assert any(event.HasField("dataset_rejected") for event in book.read(subjects=["dataset/"]))


def _empty(path: Path) -> None:
    path.touch()


def _binary(path: Path) -> None:
    path.write_bytes(b"\x80\x00" * 100)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.jsonl").write_text("{}")


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _large(path: Path) -> None:
    path.write_bytes(b" " * 100_001)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_empty, "it is empty."),
        (_binary, "1 of 1 lines can't be read."),
        (_folder, "it is a folder, not a file."),
        (_link, "it is a link; put the file itself here."),
        (_pipe, "it is no plain file."),
        (_large, "it has 100,001 bytes; at most 100,000 are taken (inbox.max_bytes in config.yaml)."),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_is_no_dataset_is_rejected(
    make: Callable[[Path], None], reason: str, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    make(tmp_path / "thing")
    put(server, tmp_path / "thing")
    told, report = rejected(server, book, "thing")
    assert told.reason == reason
    assert reason in report
    assert not book.jobs().jobs


def test_a_sidecar_sets_the_jobs_config(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    held_out = write_questions(server.home.root / "held.jsonl", 2)
    (tmp_path / "facts.yaml").write_text(
        f"model_name_or_path: other\nlora_r: 4\npriority: urgent\nskip_bad_lines: true\nheld_out: {held_out.name}\n"
    )
    put(server, tmp_path / "facts.yaml")
    put(server, write_questions(tmp_path / "facts.jsonl", 5, bad=["oops"]))
    received(book)
    job = book.jobs().jobs[0]
    assert (job.config.base_model, job.config.lora_r, job.priority) == ("other", 4, e.PRIORITY_URGENT)
    assert job.config.held_out == file_sha256(held_out)
    eventually((server.home.root / job.file).exists)
    assert (server.home.root / job.file).with_suffix(".yaml").exists()
    assert list((server.home.inbox / "normal").iterdir()) == []


def test_a_bad_sidecar_rejects_both_and_its_key_is_named(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    (tmp_path / "facts.yaml").write_text("lora_rr: 4\n")
    put(server, tmp_path / "facts.yaml")
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    _, report = rejected(server, book, "facts.jsonl")
    assert "its sidecar facts.yaml can't be used: line 1: lora_rr is unknown; did you mean lora_r" in report
    eventually(lambda: (server.home.rejected / "facts.yaml").exists())  # moved after its dataset
    assert (server.home.rejected / "facts.yaml").read_text() == "lora_rr: 4\n"
    assert not book.jobs().jobs


def test_a_config_that_can_not_be_is_rejected_before_queueing(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    (tmp_path / "facts.yaml").write_text("learning_rate: 7\n")
    put(server, tmp_path / "facts.yaml")
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    _, report = rejected(server, book, "facts.jsonl")
    assert "learning_rate is 7.0; it must be above 0 and at most 1" in report
    assert not book.jobs().jobs


def test_the_same_content_twice_is_recognised(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    received(book)
    put(server, write_questions(tmp_path / "again.jsonl", 5), "priority")
    told, report = rejected(server, book, "again.jsonl", 2)
    jobs = book.jobs().jobs
    assert len(jobs) == 1
    assert told.reason == f"the same content is job {jobs[0].id} already (facts.jsonl)."
    assert f"guessbook submit {server.home.rejected / 'again.jsonl'}" in report
    put(server, write_questions(tmp_path / "again.jsonl", 5), "priority")
    rejected(server, book, "again_2.jsonl", 3)
    assert (server.home.rejected / "again.jsonl").exists(), "nothing takes another's place"


def test_content_that_failed_may_be_tried_again(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    received(book)
    trainer = ScriptedTrainer(server, tmp_path)
    job = book.lease(trainer.name, trainer.epoch).job
    trainer.say(e.Event(subject=f"job/{job.id}", job_failed=e.JobFailed(error="no room")))
    trainer.close()
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    received(book, 2)
    assert sorted(job.state for job in book.jobs().jobs) == [h.JOB_STATE_QUEUED, h.JOB_STATE_FAILED]


def test_a_file_that_is_not_complete_waits(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    whole = write_questions(tmp_path / "whole.jsonl", 6).read_bytes()
    folder = server.home.inbox / "normal"
    eventually(folder.exists)
    for name in (".hidden.jsonl", "one.jsonl.part", "two.tmp", "three.crdownload"):
        (folder / name).write_bytes(whole)
    with (folder / "slow.jsonl").open("wb") as slow:  # a copy that stalls looks complete, but for being open
        slow.write(whole[:100])
        slow.flush()
        put(server, write_questions(tmp_path / "other.jsonl", 5))
        received(book)
        put(server, write_questions(tmp_path / "later.jsonl", 4))
        received(book, 2)
        slow.write(whole[100:])
    (folder / "one.jsonl.part").rename(folder / "one.jsonl")  # the same bytes as the slow one
    received(book, 4)
    assert {job.name for job in book.jobs().jobs} in (
        {"other.jsonl", "later.jsonl", "one.jsonl"},
        {"other.jsonl", "later.jsonl", "slow.jsonl"},
    )
    assert {path.name for path in folder.iterdir()} == {".hidden.jsonl", "two.tmp", "three.crdownload"}


def test_strange_names_are_taken(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    folder = os.fsencode(server.home.inbox / "normal")
    eventually((server.home.inbox / "normal").exists)
    os.rename(write_questions(tmp_path / "a", 4), os.path.join(folder, b"\xff\nn\xc3\xa4me.jsonl"))
    os.rename(write_questions(tmp_path / "b", 5), os.path.join(folder, b"x" * 249 + b".jsonl"))
    received(book, 2)
    names = {job.name for job in book.jobs().jobs}
    assert "��näme.jsonl" in names
    assert f"{'x' * 194}.jsonl" in names
    for job in book.jobs().jobs:
        eventually((server.home.root / job.file).exists)


def test_a_file_that_a_crash_kept_in_the_inbox_is_only_moved(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    received(book)
    active = server.home.root / book.jobs().jobs[0].file
    eventually(active.exists)
    server.kill()
    active.rename(server.home.inbox / "normal" / "facts.jsonl")  # as it was between the commit and the move
    server.start()
    eventually(active.exists)
    assert len(book.jobs().jobs) == 1
    assert len(received(book)) == 1


def test_a_file_that_can_not_be_moved_is_queued_once(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    server.home.active.parent.mkdir(exist_ok=True)
    server.home.active.write_text("no folder")
    path = put(server, write_questions(tmp_path / "facts.jsonl", 5))
    job = received(book)[0].file_received.job
    server.stop()
    assert path.exists()
    server.home.active.unlink()
    server.start()
    eventually(lambda: not path.exists())
    assert [one.id for one in book.jobs().jobs] == [job]
    assert (server.home.root / book.jobs().jobs[0].file).exists()


class Meanwhile(Submission):
    """Before a submission is answered, something happens."""

    def __init__(self, live: LiveBook, artifacts: Artifacts, happens: Callable[[], object]) -> None:
        super().__init__(live, artifacts, "tiny")
        self._happens = happens

    async def submit(
        self, actor: str, request: SubmitJobRequest, received: e.FileReceived | None = None
    ) -> SubmitJobResponse:
        answer = await super().submit(actor, request, received)
        self._happens()
        return answer


def beside(server: ServerProcess, happens: Callable[[], object], done: Callable[[], object]) -> None:
    """Takes what is in the inbox in this process, while the server is stopped, until it is done."""

    async def run() -> None:
        live = LiveBook(Log(server.home.log), lambda error: None)
        await live.fold.caught_up()
        artifacts = Artifacts(server.home.artifacts)
        inbox = Inbox(live, server.home, artifacts, Meanwhile(live, artifacts, happens))
        inbox.start()
        try:
            await asyncio.to_thread(eventually, done)
        finally:
            await inbox.close()
            live.close()

    if server.running:
        server.stop()
    asyncio.run(run())
    server.start()


@pytest.mark.parametrize("becomes", ["another file", "gone"])
def test_a_file_that_is_replaced_while_it_is_queued_has_its_own_turn(
    becomes: str, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    first, second = write_questions(tmp_path / "first", 5), write_questions(tmp_path / "second", 6)
    contents = {file_sha256(first)} | ({file_sha256(second)} if becomes == "another file" else set())
    path = put(server, first, name="facts.jsonl")

    def happens() -> None:
        if becomes == "gone":
            path.unlink()
        elif second.exists():
            second.rename(path)

    beside(server, happens, lambda: len(list(server.home.active.glob("[!.]*"))) == len(contents))
    jobs = book.jobs().jobs
    assert {job.dataset for job in jobs} == contents
    assert {file_sha256(server.home.root / job.file) for job in jobs} == contents
    assert not path.exists()


def test_a_file_that_is_mended_while_it_is_judged_is_not_rejected(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    path = put(server, write_questions(tmp_path / "bad", 5, bad=["oops"]), name="facts.jsonl")
    mended = write_questions(tmp_path / "good", 5)

    def happens() -> None:
        if mended.exists():
            mended.rename(path)

    beside(server, happens, lambda: server.home.active.exists() and list(server.home.active.glob("*.jsonl")))
    assert [job.name for job in book.jobs().jobs] == ["facts.jsonl"]
    assert not (server.home.rejected / "facts.jsonl").exists()


def test_a_rejected_file_never_lies_in_the_inbox_without_its_sidecar(
    server: ServerProcess, book: Guessbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    (tmp_path / "facts.yaml").write_text("lora_rr: 4\n")
    put(server, tmp_path / "facts.yaml")
    path = put(server, write_questions(tmp_path / "facts.jsonl", 5))
    move, moved = dropped_file.move, list[Path]()

    def cut_off(source: Path, target: Path) -> None:
        if moved:
            raise OSError("the process was killed after the first move")
        moved.append(source)
        move(source, target)

    monkeypatch.setattr(dropped_file, "move", cut_off)
    beside(server, lambda: None, lambda: moved)
    assert moved == [path]
    assert path.with_suffix(".yaml").exists()
    assert not book.jobs().jobs


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another account")
@pytest.mark.parametrize("theirs", ["facts.yaml", "held.jsonl"])
def test_what_belongs_to_somebody_else_sets_nothing(
    theirs: str, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    write_questions(server.home.root / "held.jsonl", 2)
    (tmp_path / "facts.yaml").write_text("held_out: held.jsonl\n")
    sidecar = put(server, tmp_path / "facts.yaml")
    os.chown(sidecar if theirs == "facts.yaml" else server.home.root / theirs, 1, 1)
    put(server, write_questions(tmp_path / "facts.jsonl", 5))
    told, _ = rejected(server, book, "facts.jsonl")
    whose = dropped_file.owner(sidecar.parent)
    assert "belongs to" in told.reason
    assert told.reason.endswith(f", and the file itself to {whose}.")
    assert not book.jobs().jobs


def test_kills_at_any_moment_lose_no_file_and_queue_none_twice(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    seed = random.randrange(1_000_000)
    print("seed", seed)
    chance = random.Random(seed)
    contents = set()
    for number in range(6):
        path = write_questions(tmp_path / f"file{number}.jsonl", 4 + number)
        contents.add(file_sha256(path))
        put(server, path, chance.choice(("normal", "priority")))
        time.sleep(chance.uniform(0.1, 0.6))  # the moment of the kill, no waiting for anything
        server.kill()
        server.start()
    eventually(lambda: len(list(server.home.active.glob("*.jsonl"))) == len(contents) or None)
    jobs = book.jobs().jobs
    assert sorted(job.dataset for job in jobs) == sorted(contents)
    assert {file_sha256(server.home.root / job.file) for job in jobs} == contents
