"""A place that also holds other backups: of the same log from before a restore, of another log, of another key, or under way."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_folder import Data, batch
from made_events import step

from guessbook.proto.events_pb2 import Event, File, VersionCreated, VersionPurged
from guessbook.store import backup, segment
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.store.manifest import Manifest
from guessbook.store.place import BackupFailed, Place
from guessbook.store.restore import RestoreFailed, drill, restore
from guessbook.store.sealing import Sealer
from guessbook.store.verify import verify


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    made = Data(tmp_path / "data")
    made.dataset(b"some questions\n" * 100)
    yield made
    assert verify(made.home.log).ok


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


def make(home: Home, place: Place) -> Manifest:
    return backup.create(home, place, actor="tester")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def restored(place: Place, made: Manifest, to: Path) -> Home:
    restore(place, made, to, actor="anna")
    return Home(to)


def version(data: Data, content: bytes) -> list[File]:
    """The files of a version that the log tells of."""
    files = [File(path="adapter_model.safetensors", sha256=data.artifacts.write([content]))]
    data.append([Event(subject="version/v001", version_created=VersionCreated(files=files))])
    return files


# ---- of the same log, before a restore ----


def test_a_backup_of_a_restored_log_has_what_was_purged_in_the_log_before(
    data: Data, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segments that both share are full: what the version's files are stands in one that isn't read again by a later backup."""
    monkeypatch.setattr(segment, "BYTES", 2000)
    place = Place(str(folder))
    files = version(data, b"an adapter")
    data.steps(1, 40)
    before = make(data.home, place)
    assert len(before.segments) > 2
    data.append([Event(subject="version/v001", version_purged=VersionPurged(files=files))])
    data.artifacts.remove(files[0].sha256)
    after = make(data.home, place)
    assert files[0].sha256 not in after.objects
    again = restored(place, before, tmp_path / "again")
    made = make(again, place)
    assert files[0].sha256 in made.objects
    drill(place, made)
    more = batch(again, data.sequence, [step(99)])
    assert not isinstance(more, Exception)
    assert files[0].sha256 in make(again, place).objects  # with one of its own as its base
    assert verify(again.log).ok


def test_a_drill_finds_that_a_file_which_the_log_names_is_not_in_the_backup(data: Data, folder: Path) -> None:
    place = Place(str(folder))
    files = version(data, b"an adapter")
    made = make(data.home, place)
    lying = Manifest(**{**vars(made), "files": [one for one in made.files if one.sha256 != files[0].sha256]})
    with pytest.raises(RestoreFailed, match=files[0].sha256):
        drill(place, lying)
    honest = Manifest(**{**vars(lying), "missing": [files[0].sha256]})
    assert drill(place, honest).absent == (files[0].sha256,)


def copied(place: Place, made: Manifest, **told: object) -> Manifest:
    """The same backup again, with something else in its manifest."""
    changed = Manifest(**{**vars(made), **told})
    place.write_manifest(changed.kind, changed.id, changed.text())
    return changed


def test_the_latest_of_a_log_goes_furthest_whatever_the_clock_said(data: Data, folder: Path) -> None:
    place = Place(str(folder))
    copied(place, make(data.home, place), id="20361101T030000Z-000000", created="2036-11-01T03:00:00+00:00")
    data.steps(1, 2)
    made = make(data.home, place)
    notes: list[str] = []
    assert backup.find(place, "latest", notes.append) == made
    assert notes == []


def test_after_a_restore_the_latest_is_of_the_restored_log(data: Data, folder: Path, tmp_path: Path) -> None:
    place = Place(str(folder))
    first = make(data.home, place)
    data.steps(1, 5)
    given_up = make(data.home, place)
    last = make(restored(place, first, tmp_path / "again"), place)
    assert last.head < given_up.head
    copied(place, last, id="20361101T030000Z-000000", created="2036-11-01T03:00:00+00:00", log_id=given_up.log_id)
    past = copied(place, last, id=f"{last.id}9", created="2099-01-01T00:00:00+00:00", head=last.head)
    notes: list[str] = []
    found = backup.find(place, "latest", notes.append)
    assert (found.log_id, found.head) == (last.log_id, past.head)
    assert given_up.log_id in " ".join(notes)


def test_a_damaged_newer_backup_is_told_when_it_is_passed_over(data: Data, folder: Path) -> None:
    place = Place(str(folder))
    made, last = make(data.home, place), make(data.home, place)
    [path] = folder.rglob(f"{last.id}.json")
    path.write_bytes(path.read_bytes()[:-10])
    notes: list[str] = []
    assert backup.find(place, "latest", notes.append) == made
    [note] = notes
    assert last.id in note


def test_of_two_logs_with_nothing_in_common_none_is_the_latest(data: Data, folder: Path, tmp_path: Path) -> None:
    place = Place(str(folder))
    made = make(data.home, place)
    other = make(Data(tmp_path / "other").home, place)
    with pytest.raises(backup.SeveralBackups, match=made.id) as several:
        backup.find(place, "latest")
    assert other.id in str(several.value)
    assert backup.find(place, other.id) == other


# ---- of another key ----


KEY, OTHER_KEY = Sealer(b"k" * 32), Sealer(b"o" * 32)


@pytest.mark.parametrize(("first", "then"), [(None, KEY), (KEY, None), (KEY, OTHER_KEY)])
def test_a_place_is_encrypted_in_one_way_and_stays_so(
    data: Data, folder: Path, tmp_path: Path, first: Sealer | None, then: Sealer | None
) -> None:
    place = Place(str(folder), sealer=first)
    made = make(data.home, place)
    there = files_of(folder)
    with pytest.raises(BackupFailed, match="name another folder"):
        make(data.home, Place(str(folder), sealer=then))
    assert files_of(folder) == there
    make(data.home, place)
    assert backup.verify(place, made) == []
    assert Artifacts(restored(place, made, tmp_path / "back").artifacts).exists(_dataset(data))


def test_a_damaged_manifest_is_not_taken_for_another_key(data: Data, folder: Path) -> None:
    place = Place(str(folder), sealer=KEY)
    make(data.home, place)
    last = make(data.home, place)
    [path] = folder.rglob(f"{last.id}.json")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert backup.verify(place, make(data.home, place)) == []


def _dataset(data: Data) -> str:
    return next(path.name for path in data.home.artifacts.rglob("*") if path.is_file())


# ---- under way ----


def test_no_backup_is_removed_while_another_of_the_data_folder_is_made(data: Data, folder: Path) -> None:
    """What the one under way found at the place it doesn't copy. The data folder's lock is held as that one holds it."""
    place = Place(str(folder))
    made = make(data.home, place)
    remove = [
        sys.executable,
        "-m",
        "guessbook.store.backup_process",
        "remove",
        str(data.home.root),
        str(folder),
        made.id,
    ]
    held = os.open(data.home.root, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_SH)
    with subprocess.Popen(remove, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert process.stdout
        assert "waiting until another backup" in process.stderr.readline()
        assert backup.verify(place, made) == []
        create = [*remove[:3], "create", str(data.home.root), str(folder)]
        other = json.loads(
            subprocess.run(create, capture_output=True, check=True).stdout
        )  # beside one another they may be made
        os.close(held)
        assert json.loads(process.stdout.read())["removed"] == 0
    assert [found.id for _, found in backup.backups(place) if isinstance(found, Manifest)] == [other["id"]]
    assert backup.verify(place, backup.find(place, "latest")) == []


def test_a_restore_that_is_killed_leaves_no_data_folder_and_the_next_one_makes_it(
    data: Data, folder: Path, tmp_path: Path
) -> None:
    place = Place(str(folder))
    data.dataset(os.urandom(20_000_000))
    made = make(data.home, place)
    to = tmp_path / "back"
    command = [
        sys.executable,
        "-m",
        "guessbook.store.backup_process",
        "restore",
        str(folder),
        "latest",
        "--to",
        str(to),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("restored 1 of")
        process.kill()
    assert not to.exists()
    [left] = tmp_path.glob("back-*.restoring")
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    told = json.loads(done.stdout)
    assert told["head"] == made.head
    assert left.name in " ".join(told["notes"])
    assert verify(Home(to).log).ok
    assert files_of(Home(to).artifacts) == files_of(data.home.artifacts)
