"""Whatever fails at a place of backups, the operation that needs one is refused: it says which place, nothing was changed, and earlier backups are whole."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sftp_server
import yaml
from durability import full_disk
from made_versions import ScriptedTrainer
from operations import carried_out
from s3_server import S3Server
from server_process import ServerProcess
from sftp_server import SftpServer

from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED, OPERATION_STAGE_REFUSED
from guessbook.server.backups import Backups
from guessbook.server.guarded import Guarded
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.upkeep import Upkeep
from guessbook.store.artifacts import Artifacts
from guessbook.store.errors import LogError
from guessbook.store.log import Log

YEAR_US = 365 * 24 * 3600 * 1_000_000


@pytest.fixture
def versions(server: ServerProcess, book: Guessbook, tmp_path: Path) -> Iterator[tuple[str, str]]:
    trainer = ScriptedTrainer(server, tmp_path)
    yield trainer.version(book, "one"), trainer.version(book, "two")
    trainer.close()


def use(server: ServerProcess, url: str, options: dict[str, Any] | None = None) -> None:
    """Makes a place named `usb` the one that backups go to besides the data folder."""
    place = {"name": "usb", "url": url, "options": options or {}}
    server.home.config.write_text(yaml.safe_dump({"backup": {"places": [place]}}))


def assert_refused(book: Guessbook, version: str) -> None:
    before = book.versions()
    refused = carried_out(book, "delete-version", version)
    assert refused.stage == OPERATION_STAGE_REFUSED, refused
    assert "usb: " in refused.error
    assert refused.hint.startswith("Nothing was changed.")
    after = book.versions()
    assert [*after.versions] == [*before.versions]
    assert not any(backup.id == refused.backup for backup in book.backups().backups)


def assert_whole(book: Guessbook, backup: str) -> None:
    for one in book.verify_backup(backup).backups:
        assert one.sound, one


def test_a_place_that_vanished(
    server: ServerProcess, book: Guessbook, versions: tuple[str, str], tmp_path: Path
) -> None:
    disk, away = tmp_path / "usb", tmp_path / "away"
    disk.mkdir()
    use(server, str(disk))
    earlier = book.create_backup()
    assert not earlier.problems
    disk.rename(away)
    assert_refused(book, versions[1])
    assert not disk.exists()  # nothing was made in its place
    away.rename(disk)
    assert_whole(book, earlier.id)
    assert carried_out(book, "delete-version", versions[1]).stage == OPERATION_STAGE_COMPLETED


def test_a_bit_that_flipped_in_a_copied_file(
    server: ServerProcess, book: Guessbook, versions: tuple[str, str], tmp_path: Path
) -> None:
    disk = tmp_path / "usb"
    disk.mkdir()
    use(server, str(disk))
    earlier = book.create_backup()
    dataset = book.versions().versions[0].dataset
    victim = disk / "objects" / dataset[:2] / dataset
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    assert_refused(book, versions[1])
    content[-1] ^= 1
    victim.write_bytes(content)
    assert_whole(book, earlier.id)
    assert carried_out(book, "delete-version", versions[1]).stage == OPERATION_STAGE_COMPLETED


@pytest.mark.parametrize("after", [3, 9])
def test_an_s3_that_fails_midway(server: ServerProcess, book: Guessbook, versions: tuple[str, str], after: int) -> None:
    with S3Server() as s3:
        use(server, s3.url, {**s3.options, "config_kwargs": {"retries": {"max_attempts": 1}}})
        earlier = book.create_backup()
        assert not earlier.problems
        seen = 0

        def fails(method: str, path: str) -> bool:
            nonlocal seen
            seen += 1
            return seen > after

        s3.fails = fails
        assert_refused(book, versions[1])
        assert seen > after
        s3.fails = lambda method, path: False
        assert_whole(book, earlier.id)
        assert carried_out(book, "delete-version", versions[1]).stage == OPERATION_STAGE_COMPLETED


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_server_that_is_gone(
    server: ServerProcess, book: Guessbook, versions: tuple[str, str], tmp_path: Path, kind: str
) -> None:
    if kind == "sftp":
        sftp_server.require()
    with S3Server() if kind == "s3" else SftpServer(tmp_path) as place:
        use(server, place.url, place.options)
        assert not book.create_backup().problems
        place.stop()
        assert_refused(book, versions[1])


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_is_full_or_read_only(tmp_path: Path, fault: str) -> None:
    """The server runs in a mount namespace of its own, in which the place is another disk."""
    if "tmpfs" not in full_disk.kinds():
        pytest.skip("this user may not mount a tmpfs here, not even in a namespace of his own")
    disk = tmp_path / "usb"
    disk.mkdir()
    mounts = {
        "full": f"mount -t tmpfs -o size=1m tmpfs {disk}",
        "read-only": f"mount --bind {disk} {disk} && mount -o remount,bind,ro {disk}",
    }
    healthy = ServerProcess(tmp_path / "home")
    with healthy, healthy.client() as book:
        use(healthy, str(disk))
        trainer = ScriptedTrainer(healthy, tmp_path)
        one, two = trainer.version(book, "one"), trainer.version(book, "two")
        earlier = book.create_backup()
        assert not earlier.problems
        if fault == "full":
            trainer.version(book, "three", parent=one, content=bytes(range(256)) * 8192)
        trainer.close()
    inside = ["sh", "-c", f'{mounts[fault]} && exec "$@"', "sh"]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    broken = ServerProcess(tmp_path / "home", wrapper=["unshare", "--mount", *user, *inside])
    with broken, broken.client() as book:
        assert_refused(book, two)
    with healthy, healthy.client() as book:
        assert_whole(book, earlier.id)
        assert carried_out(book, "delete-version", two).stage == OPERATION_STAGE_COMPLETED


def test_a_clock_that_jumps(server: ServerProcess, book: Guessbook, versions: tuple[str, str]) -> None:
    """Ten years forth, and right again: the trash is kept, since no backup was made after its term, and nothing is done twice."""
    assert carried_out(book, "delete-version", versions[1]).stage == OPERATION_STAGE_COMPLETED
    server.stop()
    asyncio.run(_jump(server))
    server.start()
    restored = book.restore_version(versions[1]).version
    artifacts = Artifacts(server.home.artifacts)
    assert all(artifacts.is_whole(file.sha256) for file in restored.files)


async def _jump(server: ServerProcess) -> None:
    failures: list[LogError] = []
    live = LiveBook(Log(server.home.log), failures.append)
    await live.fold.caught_up()
    backups = Backups(live, server.home)
    upkeep = Upkeep(live, server.home, backups, Artifacts(server.home.artifacts), Guarded(live, backups.back_up, {}))
    try:
        await upkeep.look(now_us() + 10 * YEAR_US)
        daily = [one for one in live.book.backups.by_place.values() if one.kind == "daily"]
        assert [one.sound for one in daily] == [True]
        position = live.book.position
        await upkeep.look(now_us())
        assert live.book.position == position
    finally:
        live.close()
    assert not failures
