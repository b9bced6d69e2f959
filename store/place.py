"""A place that backups are kept at: a folder, or any URL that fsspec knows. Knows names, bytes and their SHA-256, not what they mean.

    objects/ab/<sha256>         what the backups are made of, each content once
    backups/<kind>/<id>.json    a backup, written last: without it there is none
    incoming/<id>-<random>      what is being written
    pruned/<id>.json            a backup whose objects are being removed

Nothing that is there is overwritten, and nothing removed but by pruning. An object is written under another name, read back, and renamed when its bytes are right.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from guessbook.store.artifacts import BLOCK, DamagedArtifact, sync_folder
from guessbook.store.config import without_password
from guessbook.store.sealing import MAGIC, NotSealed, Sealer, plain_size

AT_ONCE = 8  # files that are copied at the same time: their fsyncs share the disk's. Each takes a block of memory
LEFT_BEHIND = timedelta(days=2)  # a backup that takes longer isn't under way any more
ID_TIME = "%Y%m%dT%H%M%SZ-%f"  # the microseconds make it unique
_OBJECT = re.compile(r"[0-9a-f]{64}")


class BackupFailed(Exception):
    """A place can't be read or written, or holds other bytes than it was given. What was there before is untouched."""


class DamagedBackup(BackupFailed):
    """Something of a backup is gone, or its bytes are not those that were written."""


class BadPlace(ValueError):
    """There is no such place, or no program for it."""


class Place:
    """`options`: what fsspec's file system takes. With a `sealer` all that is kept there is encrypted; the names of objects are those of the plain content.

    A local folder must be there. Raises BadPlace.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None, sealer: Sealer | None = None) -> None:
        self.name = without_password(url)
        self._sealer = sealer
        try:
            self._files, self._root = fsspec.core.url_to_fs(url, **_safe(url, options or {}))
        except (ImportError, ValueError) as error:
            raise BadPlace(f"{self.name} is no place that backups can go to: {error}") from error
        except Exception as error:  # of whatever library it is that connects
            raise BackupFailed(f"{self.name} can't be reached: {error or type(error).__name__}") from error
        self._files.dircache.use_listings_cache = False  # not every kind of place takes this as an option
        self._local = isinstance(self._files, LocalFileSystem)
        # Only file systems that say so bear several threads: an SFTP connection loses answers.
        self.at_once = AT_ONCE if self._local or self._files.async_impl else 1
        self._made: set[str] = set()  # folders that were written to since the last sync
        if not self._there():
            raise BadPlace(f"there is no folder or bucket {self._root} ({self.name})")

    def require_same_key(self) -> None:
        """Raises BackupFailed where the backups that are there are not encrypted as this place writes them. Objects have the same names either way, so a backup of
        one kind would put those of the other aside as damaged.
        """
        paths = [*self.manifests().values()][::-1]
        for path in paths:
            with self._failing(path):
                head = self._files.cat_file(path, 0, len(MAGIC))
            if head == MAGIC and not self._sealer:
                raise self._other("encrypted backups, and no key_file is named")
            if head.startswith(b"{") and self._sealer:
                raise self._other("backups that are not encrypted, and a key_file is named")
        if self._sealer and paths and not any(self._opens(path) for path in paths):
            raise self._other("backups that were encrypted with another key, or are damaged")

    def objects(self) -> dict[str, int]:
        """The SHA-256 (hex) of each object that is there, and its bytes. Their content isn't looked at."""
        plain = plain_size if self._sealer else int
        sizes = {path.rpartition("/")[2]: plain(size) for path, size in self._find("objects").items()}
        return {name: size for name, size in sizes.items() if _OBJECT.fullmatch(name)}

    def write_object(self, backup: str, blocks: Iterable[bytes], expected: str = "") -> tuple[str, int]:
        """Writes what the blocks add up to, and reads it back. Its SHA-256 (hex) and bytes. Raises BackupFailed.

        Raises DamagedArtifact, with nothing written, if it should have another SHA-256.
        """
        incoming = self._path(f"incoming/{backup}-{uuid.uuid4().hex[:8]}")
        sha256, size = self._write(incoming, blocks)
        if expected and sha256 != expected:
            with self._failing(incoming):
                self._files.rm_file(incoming)
            raise DamagedArtifact(f"what should have SHA-256 {expected} has {sha256}: its bytes were changed")
        path = f"objects/{sha256[:2]}/{sha256}"
        self._put_aside(path, sha256)
        self._settle(incoming, path, sha256)
        return sha256, size

    def read_object(self, sha256: str) -> Iterator[bytes]:
        """An object in blocks. Raises DamagedBackup, at the end if its bytes are not those that were written."""
        yield from self._read(self._path(f"objects/{sha256[:2]}/{sha256}"), sha256)

    def write_manifest(self, kind: str, backup: str, text: bytes) -> None:
        """Makes a backup be there, durable with all its objects when this returns. Raises BackupFailed."""
        self._sync()
        if self._exists(f"backups/{kind}/{backup}.json"):
            raise BackupFailed(f"another backup of the id {backup} is there already, at {self.name}")
        incoming = self._path(f"incoming/{backup}-manifest")
        sha256, _ = self._write(incoming, [text])
        self._settle(incoming, f"backups/{kind}/{backup}.json", sha256)
        self._sync()

    def manifests(self) -> dict[str, str]:
        """The ids of the backups that are there, the oldest first, and where each lies at the place."""
        found = [path for path in self._find("backups") if path.endswith(".json")]
        named = {path.rpartition("/")[2].removesuffix(".json"): path for path in found}
        return dict(sorted(named.items()))

    def read_manifest(self, path: str) -> Any:
        """The JSON of a backup; whether it is whole is for the reader to check. Raises DamagedBackup, BackupFailed."""
        with self._failing(path):
            text = self._files.cat_file(path)
        try:
            return json.loads(b"".join(self._opened([text], path)))
        except ValueError as error:
            raise DamagedBackup(f"{path} at {self.name} is no JSON: {error}") from error

    def give_up(self, path: str) -> None:
        """Moves a manifest out of the way: from then on there is no such backup, and its objects may be removed."""
        given_up = self._path(f"pruned/{path.rpartition('/')[2]}")
        self._make_folder(given_up)
        with self._failing(path):
            self._files.mv(path, given_up)
        self._sync()

    def given_up(self) -> list[str]:
        """Manifests of which objects may be left."""
        return sorted(self._find("pruned"))

    def forget(self, path: str, objects: Iterable[str]) -> None:
        """Removes the objects (SHA-256) of a given up manifest, and then the manifest."""
        for sha256 in objects:
            name = f"objects/{sha256[:2]}/{sha256}"
            if self._exists(name):
                with self._failing(name):
                    self._files.rm_file(self._path(name))
        with self._failing(path):
            self._files.rm_file(path)

    def clean(self) -> None:
        """Removes what backups that were cut off long ago have left behind."""
        for path in self._find("incoming"):
            if _begun(path.rpartition("/")[2]) < datetime.now(UTC) - LEFT_BEHIND:
                with self._failing(path):
                    self._files.rm_file(path)

    def _write(self, path: str, blocks: Iterable[bytes]) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for block in blocks:
                digest.update(block)
                size += len(block)
                yield block

        try:
            self._make_folder(path)
            with self._failing(path), self._files.open(path, "wb") as file:
                if hasattr(file, "set_pipelined"):  # of SFTP: else each 32 KiB waits for their answer
                    file.set_pipelined(True)
                for block in self._sealer.seal(counted()) if self._sealer else counted():
                    file.write(block)
                if self._local:
                    file.flush()
                    os.fsync(file.fileno())
                    # So that it is the disk that is read back, not what is in memory of it.
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            with suppress(Exception):  # a full disk gets its room back; the first error is the one to tell
                self._files.rm_file(path)
            raise
        return digest.hexdigest(), size

    def _settle(self, incoming: str, name: str, sha256: str) -> None:
        """Reads a file back and gives it its name."""
        for _ in self._read(incoming, sha256):
            pass
        path = self._path(name)
        self._make_folder(path)
        with self._failing(path):
            self._files.mv(incoming, path)

    def _exists(self, name: str) -> bool:
        with self._failing(name):
            return bool(self._files.exists(self._path(name)))

    def _put_aside(self, name: str, sha256: str) -> None:
        """What has an object's name and is damaged is kept under another."""
        if not self._exists(name):
            return
        path = self._path(name)
        try:
            for _ in self._read(path, sha256):
                pass
        except DamagedBackup:
            with self._failing(path):
                self._files.mv(path, f"{path}.damaged-{uuid.uuid4().hex[:8]}")

    def _read(self, path: str, sha256: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self._failing(path), self._files.open(path, "rb") as file:
            if hasattr(file, "set_pipelined"):
                file.prefetch(max_concurrent_requests=64)
            for block in self._opened(iter(lambda: file.read(BLOCK), b""), path):
                digest.update(block)
                yield block
        if digest.hexdigest() != sha256:
            raise DamagedBackup(f"{path} at {self.name} has SHA-256 {digest.hexdigest()}: its bytes were changed")

    def _other(self, held: str) -> BackupFailed:
        return BackupFailed(f"{self.name} holds {held}: name another folder for these backups; nothing was changed")

    def _opens(self, path: str) -> bool:
        try:
            self.read_manifest(path)
        except DamagedBackup:
            return False
        return True

    def _opened(self, blocks: Iterable[bytes], path: str) -> Iterator[bytes]:
        """What was written, before it was encrypted."""
        if self._sealer is None:
            yield from blocks
            return
        try:
            yield from self._sealer.unseal(blocks)
        except NotSealed as error:
            raise DamagedBackup(f"{path} at {self.name} can't be decrypted: {error}") from error

    def _find(self, folder: str) -> dict[str, int]:
        """All files below a folder and their bytes."""
        # What fsspec walks itself would leave out what it can't read.
        strict = {"on_error": "raise"} if type(self._files).find is AbstractFileSystem.find else {}
        with self._failing(folder):
            try:
                found = self._files.find(self._path(folder), detail=True, **strict)
            except FileNotFoundError:
                return {}
        return {path: int(info["size"]) for path, info in found.items()}

    def _make_folder(self, path: str) -> None:
        with self._failing(path):
            if (
                self._local and not self._there()
            ):  # its disk was taken away; what would be made here would lie on another
                raise BackupFailed(f"{self.name} is gone")
            folder = self._files._parent(path)
            if folder not in self._made or self._local:
                self._files.makedirs(folder, exist_ok=True)
                self._made |= {folder, os.path.dirname(folder), self._root}

    def _there(self) -> bool:
        """Whether the folder, or the bucket, is there that all lies in."""
        if self._local:
            return os.path.isdir(self._root)
        top = self._root if self._root.startswith("/") else self._root.partition("/")[0]
        with self._failing(top):
            try:
                return bool(self._files.info(top)["type"] == "directory")
            except FileNotFoundError:
                return False

    def _sync(self) -> None:
        with self._failing("objects"):
            for folder in self._made if self._local else ():
                sync_folder(Path(folder))
        self._made.clear()

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _failing(self, path: str) -> Iterator[None]:
        """Errors of a file system, whatever they are, as ours: each kind of place has its own."""
        try:
            yield
        except BackupFailed:
            raise
        except FileNotFoundError as error:
            raise DamagedBackup(f"{path} is not there, at {self.name}") from error
        except Exception as error:
            raise BackupFailed(f"{path} at {self.name}: {error or type(error).__name__}") from error


def _begun(name: str) -> datetime:
    """When the backup began that a file is of; now, if it doesn't tell."""
    try:
        return datetime.strptime("-".join(name.split("-")[:2]), ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)


def _safe(url: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """For SSH, that the server must be one that is known; `known_hosts` among the options names the file."""
    if urlsplit(url).scheme not in ("sftp", "ssh") or "host_key_policy" in options:
        return options
    from guessbook.store.host_keys import KnownHostsOnly  # its library is not always installed

    rest = {name: value for name, value in options.items() if name != "known_hosts"}
    return {**rest, "host_key_policy": KnownHostsOnly(str(options.get("known_hosts", "")))}
