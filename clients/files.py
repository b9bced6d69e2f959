"""What is on its way to the server, a local file or bytes: its hash, and its bytes in pieces. Knows no connection."""

import hashlib
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TypeAlias

from guessbook.clients.errors import Invalid
from guessbook.proto.artifacts_pb2 import StatResponse, UploadRequest

PIECE = 1024 * 1024

Content: TypeAlias = Path | bytes


def name_of(content: Content) -> str:
    """The file's name. Raises Invalid for bytes, which have none."""
    if isinstance(content, bytes):
        raise Invalid("bytes have no name", "Say what they are called.")
    return content.name


def sha256_of(content: Content) -> str:
    """In hex. Raises Invalid where there is no file."""
    if isinstance(content, Path) and not content.is_file():
        raise Invalid(f"there is no file {content}", "Check the path.")
    with _opened(content) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pieces(content: Content) -> Iterator[UploadRequest]:
    with _opened(content) as file:
        while data := file.read(PIECE):
            yield UploadRequest(data=data)


def check_stored(content: Content, sha256: str, stored: StatResponse) -> None:
    """Raises Invalid if what arrived is not what was hashed before."""
    if stored.sha256 != sha256:
        what = content if isinstance(content, Path) else "what was uploaded"
        raise Invalid(f"{what} changed while it was read", "Submit it again when nothing writes to it.")


def _opened(content: Content) -> BytesIO | BufferedReader:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")
