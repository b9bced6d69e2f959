"""Encrypts what goes to a place that others can read. Knows bytes and a key, not what they are of.

AES-256-GCM over chunks, as in the STREAM construction (Hoang et al. 2015): each chunk's nonce counts it, and says of the last one that it is the last, so
that chunks can be neither changed, nor swapped, nor left out, nor cut off at the end.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"GBSEAL1\n"
KEY_BYTES = 32
PREFIX_BYTES = 7  # random; with the count (4) and the mark of the last (1) it is the nonce (12)
CHUNK = 1024 * 1024
TAG = 16
_HEADER = len(MAGIC) + PREFIX_BYTES


class BadKey(ValueError):
    """The key file isn't there, or holds no key."""


class NotSealed(ValueError):
    """What was read was not sealed with this key, or was changed since."""


def make_key(path: Path) -> None:
    """Writes a new key for its owner alone; base64, one line. Raises FileExistsError: a key in use must not be lost."""
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> bytes:
    """Raises BadKey."""
    try:
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise BadKey(f"the key {path} can't be read: {error}") from error
    if len(key) != KEY_BYTES:
        raise BadKey(f"{path} holds {len(key)} bytes, and a key has {KEY_BYTES}")
    return key


class Sealer:
    """With one key. Each sealing differs, also of the same content."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        prefix = secrets.token_bytes(PREFIX_BYTES)
        yield MAGIC + prefix
        for number, (chunk, last) in enumerate(_chunks(blocks, CHUNK)):
            yield self._cipher.encrypt(_nonce(prefix, number, last), chunk, None)

    def unseal(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Raises NotSealed, at the latest behind the last chunk; what was yielded before is good as far as it goes."""
        stream = iter(blocks)
        head, rest = _take(stream, _HEADER)
        if len(head) < _HEADER or not head.startswith(MAGIC):
            raise NotSealed("it is not encrypted, or by another program")
        prefix = head[len(MAGIC) :]
        for number, (chunk, last) in enumerate(_chunks(_with(rest, stream), CHUNK + TAG)):
            try:
                yield self._cipher.decrypt(_nonce(prefix, number, last), chunk, None)
            except InvalidTag as error:
                raise NotSealed("it was encrypted with another key, or changed since") from error


def plain_size(sealed: int) -> int:
    """The bytes before sealing of so many bytes after it."""
    body = max(sealed - _HEADER, TAG)
    chunks = -(-body // (CHUNK + TAG))
    return body - chunks * TAG


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _chunks(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of one size and whether each is the last; the last may be shorter, and is empty only if all is."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) > size:
            yield bytes(held[:size]), False
            del held[:size]
    yield bytes(held), True


def _take(stream: Iterator[bytes], count: int) -> tuple[bytes, bytes]:
    """The first bytes of a stream, and what came with them."""
    held = b""
    while len(held) < count:
        block = next(stream, None)
        if block is None:
            break
        held += block
    return held[:count], held[count:]


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
