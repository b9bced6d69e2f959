"""Backups and restores: hot, incremental, whole or not at all; and that a restored log is never taken for the one before it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import lmdb
import pytest
from data_folder import Data, batch
from made_events import step

from guessbook.proto.events_pb2 import DatasetRegistered, Event, File, VersionCreated, VersionPurged
from guessbook.store import backup, segment
from guessbook.store.errors import FencedEpoch
from guessbook.store.home import Home
from guessbook.store.index import position_key
from guessbook.store.log import Receipt
from guessbook.store.manifest import Manifest
from guessbook.store.notary import Notary
from guessbook.store.place import BackupFailed, Place
from guessbook.store.reader import LogReader
from guessbook.store.restore import RestoreFailed, drill, restore
from guessbook.store.verify import verify

PATIENCE_S = 30.0


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    made = Data(tmp_path / "data")
    made.dataset(b"some questions\n" * 100)
    made.steps(1, 20)
    yield made
    assert verify(made.home.log).ok


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Two kinds of places: the local one, and one that knows only what every fsspec file system does."""
    if request.param == "folder":
        (tmp_path / "place").mkdir()
        yield Place(str(tmp_path / "place"))
    else:
        fsspec.filesystem("memory").makedirs(str(tmp_path))
        yield Place(f"memory://{tmp_path}")
        fsspec.filesystem("memory").rm(str(tmp_path), recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def make(data: Data, place: Place) -> Manifest:
    return backup.create(data.home, place, actor="tester")


def events_of(folder: Path) -> list[bytes]:
    with LogReader(folder) as reader:
        last = reader.last_frame()
        return [
            event.SerializeToString(deterministic=True) for event in reader.events(1, last.last_position if last else 0)
        ]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_restored_folder_has_the_same_log_and_files(data: Data, place: Place, tmp_path: Path) -> None:
    data.home.config.write_text("trash_days: 3\n")
    made = make(data, place)
    before = events_of(data.home.log)
    restored = restore(place, made, tmp_path / "back", actor="anna", reason="the disk died")
    back = Home(tmp_path / "back")
    assert (restored.head, restored.chain_hash) == (len(before), verify(data.home.log).chain_hash)
    after = events_of(back.log)
    assert after[:-1] == before
    told = Event.FromString(after[-1])
    assert (told.actor, told.log_restored.reason, told.log_restored.head) == ("anna", "the disk died", len(before))
    assert told.log_restored.old_log_id == data.home.log_id() != back.log_id() == told.log_restored.new_log_id
    assert files_of(back.artifacts) == files_of(data.home.artifacts)
    assert back.config.read_text() == "trash_days: 3\n"
    assert verify(back.log).ok


def test_a_batch_that_was_stored_before_the_restore_gets_its_first_answer_again(
    data: Data, place: Place, tmp_path: Path
) -> None:
    last = step(99)
    told = data.append([last])
    assert isinstance(told, Receipt)
    restore(place, make(data, place), tmp_path / "back", actor="anna")
    back = Home(tmp_path / "back")
    assert batch(back, data.sequence, [step(99)]) == Receipt(told.first_position, 1, duplicate=True)
    new = batch(back, data.sequence + 1, [step(100)])
    assert new == Receipt(told.first_position + 2, 1)  # behind the restore's own event
    assert isinstance(batch(back, data.sequence + 2, [step(101)], epoch=1), FencedEpoch)
    assert verify(back.log).ok


def test_a_second_backup_copies_only_what_is_new(
    data: Data, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "BYTES", 400)  # so that there are several
    first = make(data, place)
    there = place.objects()
    again = make(data, place)
    assert (again.new_bytes, again.segments, again.files) == (0, first.segments, first.files)
    assert place.objects() == there
    data.steps(21, 25)
    sha256 = data.dataset(b"more questions")
    third = make(data, place)
    full = [one for one in first.segments if one.size >= segment.BYTES]
    assert third.segments[: len(full)] == full
    new = place.objects().keys() - there.keys()
    assert sha256 in new
    assert third.new_bytes == sum(place.objects()[name] for name in new)
    for made in (first, again, third):
        assert backup.verify(place, made) == []
        assert drill(place, made).head == made.head


def test_it_is_restored_up_to_a_commit_at_or_before_a_position(data: Data, place: Place, tmp_path: Path) -> None:
    told = data.append([step(50), step(51), step(52)])
    assert isinstance(told, Receipt)
    made = make(data, place)
    middle = told.first_position + 1
    restored = restore(place, made, tmp_path / "back", actor="anna", position=middle)
    assert restored.head == told.first_position - 1
    back = Home(tmp_path / "back")
    assert events_of(back.log)[:-1] == events_of(data.home.log)[: restored.head]
    again = batch(back, data.sequence, [step(70)])  # that batch is not in this log: its number is free
    assert again == Receipt(restored.head + 2, 1)
    assert verify(back.log).ok
    with pytest.raises(RestoreFailed, match="no commit ends"):
        restore(place, made, tmp_path / "none", actor="anna", position=0)
    assert not (tmp_path / "none").exists()


def test_a_restored_log_can_be_backed_up_and_restored_again(data: Data, place: Place, tmp_path: Path) -> None:
    made = make(data, place)
    restore(place, made, tmp_path / "back", actor="anna")
    second = Data(tmp_path / "second")  # another log at the same place is no base for this one
    make(second, place)
    back = Home(tmp_path / "back")
    batch(back, data.sequence + 1, [step(30)])
    again = backup.create(back, place, actor="tester")
    assert again.origin == made.origin
    assert [file.sha256 for file in again.files] == [file.sha256 for file in made.files]
    restored = restore(place, again, tmp_path / "again", actor="anna")
    assert restored.head == made.head + 2
    assert verify(tmp_path / "again" / "log").ok


def test_it_is_restored_only_to_where_nothing_is(data: Data, place: Place, tmp_path: Path) -> None:
    made = make(data, place)
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "mine").write_text("keep me")
    with pytest.raises(RestoreFailed, match="is not empty"):
        restore(place, made, tmp_path / "back", actor="anna")
    assert files_of(tmp_path / "back") == {"mine": b"keep me"}


def test_a_flipped_bit_in_any_object_is_found_and_nothing_is_restored(
    data: Data, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "BYTES", 400)
    place = Place(str(folder))
    made = make(data, place)
    around = sorted(tmp_path.iterdir())
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
        if file.suffix == ".json":
            with pytest.raises(BackupFailed):
                backup.find(place, made.id)
            assert [found for _, found in backup.backups(place) if isinstance(found, Manifest)] == []
        else:
            problems = backup.verify(place, made)
            assert len(problems) == 1
            assert file.name in problems[0]
            with pytest.raises(BackupFailed, match=file.name):
                restore(place, made, tmp_path / "back", actor="anna")
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
        assert sorted(tmp_path.iterdir()) == around  # neither the folder nor anything of the attempt
    assert drill(place, made).head == made.head


def test_what_the_place_lost_is_copied_again(data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BYTES", 400)
    place = Place(str(folder))
    made = make(data, place)
    for path in list((folder / "objects").rglob("*")):
        if path.is_file():
            path.unlink()
    assert len(backup.verify(place, made)) == len(made.objects)
    make(data, place)
    assert backup.verify(place, made) == []  # the first one is whole again too


def test_an_artifact_that_is_not_whole_fails_the_backup_or_is_named(data: Data, place: Place, tmp_path: Path) -> None:
    sha256 = data.dataset(b"precious")
    kept = data.artifacts.path(sha256)
    kept.chmod(0o644)
    kept.write_bytes(b"previous")
    with pytest.raises(BackupFailed, match=sha256):
        make(data, place)
    assert list(backup.backups(place)) == []
    made = backup.create(data.home, place, actor="tester", skip_missing=True)
    assert made.missing == [sha256]
    kept.unlink()
    assert backup.create(data.home, place, actor="tester", skip_missing=True).missing == [sha256]
    data.artifacts.write([b"precious"])
    assert make(data, place).missing == []


def test_files_of_a_purged_version_are_not_missed(data: Data, place: Place) -> None:
    files = [File(path="adapter_model.safetensors", sha256="ab" * 32)]
    data.append([Event(subject="run/r", version_created=VersionCreated(files=files))])
    with pytest.raises(BackupFailed, match="ab" * 32):
        make(data, place)
    data.append([Event(subject="version/v001", version_purged=VersionPurged(files=files))])
    assert make(data, place).missing == []


def test_a_damaged_log_is_not_backed_up(data: Data, folder: Path) -> None:
    place = Place(str(folder))
    make(data, place)
    with frames_table(data.home.log) as (transaction, key, stored):
        transaction.put(key, stored[:-1] + bytes([stored[-1] ^ 1]))
    (folder / "more").mkdir()
    with pytest.raises(BackupFailed, match="damaged"):
        make(data, Place(str(folder / "more")))
    assert list(backup.backups(Place(str(folder / "more")))) == []
    with frames_table(data.home.log) as (transaction, key, damaged):
        transaction.put(key, damaged[:-1] + stored[-1:])


@contextmanager
def frames_table(folder: Path) -> Iterator[tuple[Any, bytes, bytes]]:
    """A transaction on the table of frames, and a row of it."""
    with lmdb.open(str(folder), max_dbs=8) as env:
        table, key = env.open_db(b"frames", create=False), position_key(5)
        with env.begin(write=True, db=table) as transaction:
            stored = transaction.get(key)
            assert stored
            yield transaction, key, stored


def signed(home: Home) -> None:
    with LogReader(home.log) as reader:
        Notary(home, reader).sign()


def test_checkpoints_of_the_log_before_hold_for_what_was_restored_and_no_further(
    data: Data, place: Place, tmp_path: Path
) -> None:
    signed(data.home)
    made = make(data, place)
    data.steps(21, 30)
    signed(data.home)  # and these events are not in the backup
    restore(place, made, tmp_path / "back", actor="anna")
    back = Home(tmp_path / "back")
    assert len(verify(back.log).checkpoints) == 1  # it came along
    verdict = verify(back.log, [data.home.signed_checkpoints])
    assert verdict.ok
    assert [bool(one.note) for one in verdict.checkpoints] == [False, True]
    signed(back)
    assert len(verify(back.log).checkpoints) == 2
    assert verify(back.log).ok
    other = Data(tmp_path / "other")
    assert not verify(other.home.log, [data.home.signed_checkpoints]).ok


def test_a_checkpoint_of_the_log_before_finds_a_restored_log_that_was_written_anew(
    data: Data, place: Place, tmp_path: Path
) -> None:
    signed(data.home)
    forged = Data(tmp_path / "forged")
    forged.steps(1, 30)
    made = backup.create(forged.home, place, actor="tester")
    text = json.loads(made.text())
    text.pop("checksum")
    lying = Manifest(**{**text, "segments": made.segments, "files": made.files, "log_id": data.home.log_id()})
    restore(place, lying, tmp_path / "back", actor="mallory")
    assert not verify(tmp_path / "back" / "log", [data.home.signed_checkpoints]).ok


# ---- as a process ----


def process(*words: str) -> list[str]:
    return [sys.executable, "-m", "guessbook.store.backup_process", *words]


def test_a_backup_that_is_killed_is_none_and_harms_no_other(data: Data, folder: Path) -> None:
    place = Place(str(folder))
    first = make(data, place)
    data.dataset(os.urandom(30_000_000))
    data.steps(21, 40)
    torn = 0
    for moment in range(8):
        with subprocess.Popen(
            process("create", str(data.home.root), str(folder)), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as child:
            while not list((folder / "incoming").iterdir()) and child.poll() is None:
                time.sleep(0.001)  # the moment of the kill is the attack
            time.sleep(0.002 * moment)
            child.send_signal(signal.SIGKILL)
        torn += len(backup_ids(place)) == 1
        if len(backup_ids(place)) > 1:
            break
        assert backup.verify(place, first) == []
    assert torn
    last = make(data, place)
    assert backup.verify(place, last) == []
    assert drill(place, last).head == last.head


def backup_ids(place: Place) -> list[str]:
    return [name for name, found in backup.backups(place) if isinstance(found, Manifest)]


# The most memory that a process used, which the kernel tells of itself alone.
MEASURED = """
import sys
from guessbook.store.backup_process import main
code = main(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, int(peak) * 1024)
"""


def test_a_large_file_takes_little_memory(data: Data, folder: Path, tmp_path: Path) -> None:
    block = os.urandom(1_000_000)
    sha256 = data.artifacts.write(block for _ in range(200))
    data.append([Event(subject=f"dataset/{sha256}", dataset_registered=DatasetRegistered(sha256=sha256))])
    for words in (
        ["create", str(data.home.root), str(folder)],
        ["verify", str(folder), "latest"],
        ["restore", str(folder), "latest", "--to", str(tmp_path / "back")],
    ):
        output = subprocess.run([sys.executable, "-c", MEASURED, *words], capture_output=True, text=True, check=True)
        code, peak = output.stdout.splitlines()[-1].split()
        assert code == "0"
        assert int(peak) < 120_000_000


def cli(home: Path, *words: str) -> SimpleNamespace:
    command = [sys.executable, "-m", "guessbook.clients.cli.main", "--home", str(home), "backup", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def test_the_verbs_tell_what_was_done_and_what_to_do(data: Data, folder: Path, tmp_path: Path) -> None:
    root = data.home.root
    made = json.loads(cli(root, "create", "--place", str(folder), "--reason", "before the move", "--json").out)
    assert made["id"] in cli(root, "list", "--place", str(folder)).out
    assert cli(root, "verify", "latest", "--place", str(folder)).out.startswith(f"ok: {made['id']}")
    assert cli(root, "drill", made["id"][:12], "--place", str(folder)).code == 0
    done = cli(root, "restore", "latest", "--place", str(folder), "--to", str(tmp_path / "back"), "--to-position", "10")
    assert "up to position 10" in done.out
    assert cli(root, "restore", "latest", "--place", str(folder), "--to", str(tmp_path / "back")).code == 1
    assert cli(root, "verify", "nothing", "--place", str(folder)).code == 4
    gone = cli(root, "create", "--place", str(tmp_path / "unmounted"))
    assert gone.code == 2
    assert "mount its disk" in gone.err
    [file] = (folder / "objects").rglob(data.artifacts.path(_dataset(data)).name)
    file.write_bytes(b"bad")
    damaged = cli(root, "verify", "latest", "--place", str(folder))
    assert damaged.code == 1
    assert file.name in damaged.err
    assert not json.loads(cli(root, "verify", "latest", "--place", str(folder), "--json").out)["ok"]


def _dataset(data: Data) -> str:
    [file] = [path for path in data.home.artifacts.rglob("*") if path.is_file()]
    return file.name
