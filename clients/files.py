"""A local file on its way to the server: its hash, and its bytes in pieces. Knows no connection."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from guessbook.clients.errors import Invalid
from guessbook.proto.artifacts_pb2 import StatResponse, UploadRequest

PIECE = 1024 * 1024


def sha256_of(path: Path) -> str:
    """Of the file's content, in hex. Raises Invalid where there is no file."""
    if not path.is_file():
        raise Invalid(f"there is no file {path}", "Check the path.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pieces(path: Path) -> Iterator[UploadRequest]:
    with path.open("rb") as file:
        while data := file.read(PIECE):
            yield UploadRequest(data=data)


def check_stored(path: Path, sha256: str, stored: StatResponse) -> None:
    """Raises Invalid if what arrived is not what was hashed before."""
    if stored.sha256 != sha256:
        raise Invalid(f"{path} changed while it was read", "Submit it again when nothing writes to it.")
