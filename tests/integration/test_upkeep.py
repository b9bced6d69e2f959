"""What the server does by the clock, on real backups: pruning, backups that nobody recorded, drills without room, processes whose server is gone."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import yaml
from durability import full_disk
from made_versions import ScriptedTrainer
from operations import carried_out
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, OPERATION_STAGE_REFUSED, Operation
from guessbook.server.backups import Backups
from guessbook.server.decide import upkeep
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.safety import Safety
from guessbook.server.version_folders import VersionFolders
from guessbook.store import backup
from guessbook.store.artifacts import Artifacts
from guessbook.store.errors import LogError
from guessbook.store.log import Log
from guessbook.store.place import Place

PROCESS = [sys.executable, "-m", "guessbook.store.backup_process"]


@pytest.fixture
def trainer(server: ServerProcess, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    made = ScriptedTrainer(server, tmp_path)
    yield made
    made.close()


def beside(server: ServerProcess, do: Callable[[Safety, LiveBook], Awaitable[None]]) -> None:
    """Does something with what keeps the book safe, in this process, while the server is stopped."""
    server.stop()
    asyncio.run(_beside(server, do))
    server.start()


async def _beside(server: ServerProcess, do: Callable[[Safety, LiveBook], Awaitable[None]]) -> None:
    failures: list[LogError] = []
    live = LiveBook(Log(server.home.log), failures.append)
    await live.fold.caught_up()
    artifacts = Artifacts(server.home.artifacts)
    safety = Safety(live, server.home, artifacts, VersionFolders(server.home, artifacts))
    try:
        await do(safety, live)
    finally:
        await safety.close()
        live.close()
    assert not failures


def test_a_backup_that_nobody_recorded_is_found_and_read_back(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    server.home.config.write_text(yaml.safe_dump({"backup": {"prune": False}}))
    trainer.version(book, "one")
    assert not book.create_backup().problems
    command = [*PROCESS, "create", str(server.home.root), str(server.home.backups), "--kind", "pre_deletion"]
    subprocess.run(command, check=True, capture_output=True)  # as a server that was killed had it made
    stranger = server.home.backups / "backups" / "pre_deletion" / "of-another-log.json"
    stranger.write_text("{}")
    assert len(book.backups().backups) == 1

    async def look(safety: Safety, live: LiveBook) -> None:
        await safety.upkeep.look(now_us())
        position = live.book.position
        await safety.upkeep.look(now_us())
        assert live.book.position == position

    beside(server, look)
    daily, found, first = book.backups().backups
    assert [one.kind for one in (daily, found, first)] == ["daily", "pre_deletion", "manual"]
    assert found.sound
    assert first.created_at_us < found.created_at_us < daily.created_at_us
    assert book.drill_backup(found.id).backups[0].drilled_at_us


def test_old_backups_go_by_themselves_after_the_daily_one(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    trainer.version(book, "one")
    for _ in range(3):
        assert not book.create_backup().problems

    async def look(safety: Safety, live: LiveBook) -> None:
        await safety.upkeep.look(now_us())
        while live.book.operations.under_way():
            await live.fold.moved()

    beside(server, look)
    [pruned] = book.operations().operations
    assert (pruned.kind, pruned.actor, pruned.stage) == ("prune-backups", "server", OPERATION_STAGE_COMPLETED)
    left = book.backups().backups
    assert [one.kind for one in left] == ["pre_prune", "daily"]
    assert all(one.sound for one in left)


def test_nothing_goes_by_itself_where_the_config_says_so(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    server.home.config.write_text(yaml.safe_dump({"backup": {"prune": False}}))
    trainer.version(book, "one")
    for _ in range(2):
        assert not book.create_backup().problems

    async def look(safety: Safety, live: LiveBook) -> None:
        await safety.upkeep.look(now_us())

    beside(server, look)
    assert not book.operations().operations
    assert len(book.backups().backups) == 3


def test_a_rotten_file_stops_no_daily_backup_but_every_guarded_operation(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    other = trainer.version(book, "one", content=b"one adapter")
    trainer.version(book, "two", content=b"another adapter")
    version = book.versions().versions[0]
    rotten = Artifacts(server.home.artifacts).path(version.files[0].sha256)
    content = rotten.read_bytes()
    rotten.chmod(0o644)
    rotten.write_bytes(bytes([content[0] ^ 1]) + content[1:])

    async def look(safety: Safety, live: LiveBook) -> None:
        await safety.upkeep.look(now_us())

    beside(server, look)
    answer = book.backups()
    [daily] = answer.backups
    assert (daily.kind, daily.sound, list(daily.missing)) == ("daily", True, [rotten.name])
    assert not book.drill_backup(daily.id).problems
    assert rotten.name in answer.coverage.advice
    assert answer.coverage.copies == 1
    refused = carried_out(book, "delete-version", other)
    assert refused.stage == OPERATION_STAGE_REFUSED
    assert rotten.name in refused.error
    assert "--skip-missing" in refused.hint
    rotten.write_bytes(content)
    rotten.chmod(0o444)
    assert not book.create_backup().problems
    assert book.backups().coverage.copies == 2

    async def compare(safety: Safety, live: LiveBook) -> None:
        held = backup.find(Place(str(server.home.backups)), "latest")
        assert upkeep.referred(live.book) - {""} <= held.objects.keys()
        rotten.unlink()  # what the place has whole is named again: it may be the last copy
        await Backups(live, server.home).create("server", upkeep.DAILY, skip_missing=True)
        assert rotten.name in backup.find(Place(str(server.home.backups)), "latest").objects
        Artifacts(server.home.artifacts).write([content])

    beside(server, compare)


def test_a_drill_without_room_says_nothing_against_the_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs in a mount namespace of its own, in which there is little room for temporary files."""
    if "tmpfs" not in full_disk.kinds():
        pytest.skip("this user may not mount a tmpfs here, not even in a namespace of his own")
    room = tmp_path / "little"
    room.mkdir()
    monkeypatch.setenv("TMPDIR", str(room))
    inside = ["sh", "-c", f'mount -t tmpfs -o size=1m tmpfs {room} && exec "$@"', "sh"]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    crowded = ServerProcess(tmp_path / "home", wrapper=["unshare", "--mount", *user, *inside])
    with crowded, crowded.client() as book:
        trainer = ScriptedTrainer(crowded, tmp_path)
        trainer.version(book, "big", content=bytes(range(256)) * 8192)
        trainer.close()
        made = book.create_backup()
        assert not made.problems
        [problem] = book.drill_backup(made.id).problems
        assert "the drill could not be done: a drill needs" in problem
        [backup] = book.backups().backups
        assert (backup.sound, backup.problem, backup.drilled_at_us) == (True, "", 0)


def test_a_restore_is_in_the_audit(
    server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    trainer.version(book, "one")
    made = book.create_backup()
    head = book.backups().backups[0].head
    to = tmp_path / "restored"
    command = [*PROCESS, "restore", str(server.home.backups), made.id, "--to", str(to), "--reason", "the disk died"]
    subprocess.run(command, check=True, capture_output=True)
    old = server.home.log_id()
    with ServerProcess(to) as second, second.client() as restored:
        [told] = restored.operations().operations
        assert _facts(told) == ("restore", OPERATION_STAGE_COMPLETED, "the disk died", made.id)
        assert told.actor
        assert made.id in told.target
        assert old in told.before
        assert second.home.log_id() in told.after
        assert f'"head": {head}' in told.after
        assert restored.operations(id=told.id).operations[0] == told


def _facts(one: Operation) -> tuple[str, int, str, str]:
    return one.kind, one.stage, one.reason, one.backup


def test_the_process_of_a_backup_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """It waits for a place that never answers: a config that is a pipe which nobody writes to."""
    os.mkfifo(tmp_path / "config.yaml")
    command = [*PROCESS, "list", f"{tmp_path}/config.yaml#place"]
    starts = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = Path("/proc") / parent.stdout.readline().strip()
        try:
            while "backup_process" not in (child / "cmdline").read_text():
                time.sleep(0.01)
            while len(list((child / "task").iterdir())) < 2:  # until it watches
                time.sleep(0.01)
        finally:
            parent.kill()
    deadline = time.monotonic() + 30
    while child.exists() and (child / "status").read_text().split("State:\t")[1][0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_restored_to_must_be_empty(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    made = book.create_backup()
    to = tmp_path / "used"
    to.mkdir()
    (to / "mine").touch()
    command = [*PROCESS, "restore", str(server.home.backups), made.id, "--to", str(to)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not empty" in done.stdout
    assert [path.name for path in to.iterdir()] == ["mine"]
