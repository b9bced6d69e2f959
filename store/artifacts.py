"""Files by content: immutable, addressed by SHA-256. Knows files and folders, not what they mean.

A file is written beside its place, fsynced, renamed into it, and the folder is fsynced: it is there whole or not at all.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class MissingArtifact(Exception):
    """No such file is stored."""


class DamagedArtifact(Exception):
    """A stored file's bytes are not those it was stored with."""


class Artifacts:
    """A folder of files, each at `<root>/ab/<sha256>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, blocks: Iterable[bytes]) -> str:
        """Stores what the blocks add up to and returns its SHA-256 (hex), durable when this returns."""
        self.root.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(prefix="incoming-", suffix=".tmp", dir=self.root)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for block in blocks:
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            sha256 = digest.hexdigest()
            place = self._place(sha256)
            if not place.parent.exists():
                place.parent.mkdir(exist_ok=True)
                sync_folder(self.root)
            temporary.chmod(0o444)
            temporary.rename(place)
            sync_folder(place.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return sha256

    def put(self, path: Path) -> str:
        """Stores a copy of a file and returns its SHA-256 (hex)."""
        return self.write(file_blocks(path))

    def exists(self, sha256: str) -> bool:
        return self._place(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Where the file lies. It must not be written to. Raises MissingArtifact."""
        place = self._place(sha256)
        if not place.is_file():
            raise MissingArtifact(f"no file with SHA-256 {sha256} is stored in {self.root}")
        return place

    def read(self, sha256: str) -> Iterator[bytes]:
        """The file's bytes in blocks. Raises DamagedArtifact at the end if they are not those that were stored."""
        digest = hashlib.sha256()
        for block in file_blocks(self.path(sha256)):
            digest.update(block)
            yield block
        if digest.hexdigest() != sha256:
            raise DamagedArtifact(f"{self.path(sha256)} has SHA-256 {digest.hexdigest()}: its bytes were changed")

    def _place(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise MissingArtifact(f"{sha256!r} is not a SHA-256 in lower-case hex")
        return self.root / sha256[:2] / sha256


def file_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def sync_folder(folder: Path) -> None:
    """Makes renames and new files in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
