"""Backups at real places: moto's S3 over HTTP, OpenSSH's sshd over SFTP; plain and encrypted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
import sftp_server
from data_folder import Data
from s3_server import S3Server
from sftp_server import SftpServer

from guessbook.store import backup, prune
from guessbook.store.manifest import Manifest
from guessbook.store.place import BackupFailed, BadPlace, DamagedBackup, Place
from guessbook.store.restore import drill, restore
from guessbook.store.sealing import Sealer, make_key, read_key
from guessbook.store.verify import verify

# They are of what the S3 client itself uses.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

QUESTIONS = b"What is the capital of Norway? Oslo, of course\n" * 4000


@dataclass
class Remote:
    url: str
    options: dict[str, Any]

    def place(self, sealer: Sealer | None = None) -> Place:
        return Place(self.url, self.options, sealer)

    def files(self) -> tuple[Any, str]:
        options = {name: value for name, value in self.options.items() if name != "known_hosts"}
        files, root = fsspec.core.url_to_fs(self.url, **options)
        return files, root

    def contents(self) -> list[bytes]:
        """All that lies there, as whoever owns the place can read it."""
        files, root = self.files()
        return [files.cat_file(path) for path in files.find(root)]


@pytest.fixture(params=["s3", "sftp"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    if request.param == "s3":
        with S3Server() as s3:
            yield Remote(s3.url, s3.options)
    else:
        sftp_server.require()
        with SftpServer(tmp_path) as sftp:
            yield Remote(sftp.url, sftp.options)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    made = Data(tmp_path / "data")
    made.dataset(QUESTIONS)
    for number in range(12):
        made.dataset(b"a small dataset, number %d" % number)
    made.steps(1, 20)
    made.home.config.write_text("trash_days: 3\n")
    yield made
    assert verify(made.home.log).ok


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "backup.key")
    return tmp_path / "backup.key"


@pytest.fixture(params=["plain", "encrypted"])
def sealer(request: pytest.FixtureRequest, key: Path) -> Sealer | None:
    return Sealer(read_key(key)) if request.param == "encrypted" else None


def make(data: Data, place: Place) -> Manifest:
    return backup.create(data.home, place, actor="tester")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_is_made_listed_verified_restored_and_pruned(
    remote: Remote, sealer: Sealer | None, data: Data, tmp_path: Path
) -> None:
    first = make(data, remote.place(sealer))
    again = make(data, remote.place(sealer))
    assert (first.new_bytes > len(QUESTIONS), again.new_bytes) == (True, 0)
    only_later = data.dataset(b"another dataset")
    last = make(data, remote.place(sealer))
    place = remote.place(sealer)
    listed = [found.id for _, found in backup.backups(place) if isinstance(found, Manifest)]
    assert listed == [last.id, again.id, first.id]
    assert backup.verify(place, last) == []
    assert drill(place, first).head == first.head
    restored = restore(place, last, tmp_path / "back", actor="tester")
    assert (restored.head, restored.chain_hash) == (last.head, verify(data.home.log).chain_hash)
    assert files_of(tmp_path / "back" / "artifacts") == files_of(data.home.artifacts)
    assert prune.remove(place, last.id) > 0
    assert prune.remove(place, last.id) == 0
    assert only_later not in remote.place(sealer).objects()
    assert backup.verify(place, first) == backup.verify(place, again) == []


def test_what_is_encrypted_is_read_with_the_key_alone(remote: Remote, data: Data, key: Path, tmp_path: Path) -> None:
    sealer = Sealer(read_key(key))
    make(data, remote.place(sealer))
    there = remote.contents()
    assert len(there) > 12
    for secret in (b"Norway", b"config.yaml", b"trash_days", b"run-0001", b"log_id", key.read_bytes().strip()):
        assert not any(secret in content for content in there)
    unsealed = [b"".join(sealer.unseal([content])) for content in there]
    assert any(b"Norway" in content for content in unsealed)
    assert not any(key.read_bytes().strip() in content or read_key(key) in content for content in unsealed)
    make_key(tmp_path / "other.key")
    with pytest.raises(DamagedBackup, match="another key"):
        backup.find(remote.place(Sealer(read_key(tmp_path / "other.key"))), listed(remote))
    with pytest.raises(DamagedBackup, match="is no JSON"):
        backup.find(remote.place(), listed(remote))
    found = backup.find(remote.place(sealer), "latest")
    restore(remote.place(sealer), found, tmp_path / "back", actor="tester")
    assert files_of(tmp_path / "back" / "artifacts") == files_of(data.home.artifacts)


def listed(remote: Remote) -> str:
    return next(iter(remote.place().manifests()))


def test_a_folder_or_bucket_that_is_not_there_is_not_made(remote: Remote, data: Data) -> None:
    elsewhere = remote.url.replace("books", "magazines").replace("/remote", "/unmounted")
    with pytest.raises(BadPlace, match="there is no folder or bucket"):
        Place(elsewhere, remote.options)


def test_a_flipped_bit_at_the_place_is_named(remote: Remote, data: Data) -> None:
    made = make(data, remote.place())
    files, root = remote.files()
    [victim] = [path for path, info in files.find(root, detail=True).items() if info["size"] == len(QUESTIONS)]
    content = bytearray(files.cat_file(victim))
    content[len(content) // 2] ^= 16
    files.pipe_file(victim, bytes(content))
    [problem] = backup.verify(remote.place(), made)
    assert victim.rpartition("/")[2] in problem


def test_an_ssh_server_that_nobody_knows_gets_nothing(tmp_path: Path) -> None:
    sftp_server.require()
    with SftpServer(tmp_path) as sftp:
        known_hosts = Path(sftp.options["known_hosts"])
        known_hosts.write_text(known_hosts.read_text().replace("127.0.0.1", "127.0.0.2"))
        with pytest.raises(BackupFailed, match=r"the key of .* is not in .*known_hosts"):
            Place(sftp.url, sftp.options)
        assert not list(sftp.place.iterdir())


def test_a_place_that_can_not_be_reached_is_named() -> None:
    with pytest.raises(BackupFailed, match=r"sftp://.*/place can't be reached"):
        Place("sftp://127.0.0.1:1/place", {"allow_agent": False, "look_for_keys": False})
    with pytest.raises(BackupFailed, match="s3://books/place"):
        Place("s3://books/place", {"endpoint_url": "http://127.0.0.1:1", "key": "a", "secret": "b"})
