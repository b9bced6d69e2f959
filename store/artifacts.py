"""Files by content: immutable, addressed by SHA-256. Knows files and folders, not what they mean.

A file is written beside its place, fsynced, renamed into it, and the folder is fsynced: it is there whole or not at all.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

BLOCK = 1024 * 1024
LATELY_S = 24 * 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


class MissingArtifact(Exception):
    """No such file is stored."""


class DamagedArtifact(Exception):
    """A stored file's bytes are not those it was stored with."""


class Artifacts:
    """A folder of files, each at `<root>/ab/<sha256>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def incoming(self) -> "Incoming":
        """A file that comes piece by piece. To be used with `with`; what isn't kept is gone at its end."""
        return Incoming(self)

    def write(self, blocks: Iterable[bytes]) -> str:
        """Stores what the blocks add up to and returns its SHA-256 (hex), durable when this returns."""
        with self.incoming() as file:
            for block in blocks:
                file.add(block)
            return file.finish()

    def put(self, path: Path) -> str:
        """Stores a copy of a file and returns its SHA-256 (hex)."""
        return self.write(file_blocks(path))

    def exists(self, sha256: str) -> bool:
        return self.place(sha256).is_file()

    def is_whole(self, sha256: str) -> bool:
        """Whether the file is there and all its bytes are those that were stored."""
        try:
            self.verified_path(sha256)
        except (MissingArtifact, DamagedArtifact):
            return False
        return True

    def path(self, sha256: str) -> Path:
        """Where the file lies. It must not be written to. Raises MissingArtifact."""
        place = self.place(sha256)
        if not place.is_file():
            raise MissingArtifact(f"no file with SHA-256 {sha256} is stored in {self.root}")
        return place

    def verified_path(self, sha256: str) -> Path:
        """The same, after all its bytes were checked. Raises MissingArtifact, DamagedArtifact."""
        for _ in self.read(sha256):
            pass
        return self.path(sha256)

    def read(self, sha256: str) -> Iterator[bytes]:
        """The file's bytes in blocks. Raises DamagedArtifact at the end if they are not those that were stored."""
        digest = hashlib.sha256()
        for block in file_blocks(self.path(sha256)):
            digest.update(block)
            yield block
        if digest.hexdigest() != sha256:
            raise DamagedArtifact(f"{self.path(sha256)} has SHA-256 {digest.hexdigest()}: its bytes were changed")

    def remove(self, sha256: str) -> bool:
        """Removes a file that nothing refers to. False: it isn't there, or was stored so lately that what will refer to it may be on its way."""
        place = self.place(sha256)
        if not place.exists() or place.stat().st_mtime > time.time() - LATELY_S:
            return False
        place.unlink()
        sync_folder(place.parent)
        return True

    def place(self, sha256: str) -> Path:
        """Where a file of that content belongs. Raises MissingArtifact for what is no SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise MissingArtifact(f"{sha256!r} is not a SHA-256 in lower-case hex")
        return self.root / sha256[:2] / sha256


class Incoming:
    """A file on its way in, under a temporary name."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._root = artifacts.root
        self._digest = hashlib.sha256()
        self.size = 0  # bytes so far

    def __enter__(self) -> Self:
        self._root.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="incoming-", suffix=".tmp", dir=self._root)
        self._file, self._path = os.fdopen(handle, "wb"), Path(name)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        finally:
            self._path.unlink(missing_ok=True)

    def add(self, block: bytes) -> None:
        self._digest.update(block)
        self._file.write(block)
        self.size += len(block)

    def finish(self) -> str:
        """Puts the file where it belongs and returns its SHA-256 (hex), durable when this returns.

        A file that lies there already and is damaged is moved aside, not overwritten.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        sha256 = self._digest.hexdigest()
        place = self._artifacts.place(sha256)
        if not place.parent.exists():
            place.parent.mkdir(exist_ok=True)
            sync_folder(self._root)
        if place.exists() and not self._artifacts.is_whole(sha256):
            place.rename(place.with_name(f"{sha256}.damaged-{time.time_ns()}"))
        self._path.chmod(0o444)
        self._path.rename(place)
        sync_folder(place.parent)
        return sha256


def file_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def file_sha256(path: Path) -> str:
    """Of a file's content, in hex."""
    digest = hashlib.sha256()
    for block in file_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes renames and new files in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
