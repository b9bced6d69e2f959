"""The server's Ed25519 key, and the checkpoints it signs: a log's size, Merkle root and chain hash at one moment.

A signed checkpoint is a text in the form that transparency logs use (C2SP tlog-checkpoint and signed-note), so that their tools can check it:

    guessbook/<log id>                    origin
    1500                                  number of events
    <Merkle root, base64>
    chain <chain hash, hex>
    time 2026-11-22T19:00:00Z

    — guessbook/<log id> <base64 of 4 bytes that name the key and 64 of the signature>

A public key is written `guessbook/<log id>+<the key's name, hex>+<base64 of 0x01 and the key>`. Knows neither the log nor where checkpoints are kept.
"""

import base64
import binascii
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guessbook.store.artifacts import sync_folder

_ED25519 = b"\x01"  # the algorithm's number in a signed note
_NOTE = re.compile(
    r"(?P<text>guessbook/(?P<log_id>[0-9a-f-]{36})\n(?P<size>[1-9][0-9]*)\n(?P<root>[A-Za-z0-9+/=]{44})\n"
    r"chain (?P<chain>[0-9a-f]{64})\ntime (?P<time>[0-9TZ:.-]+)\n)\n— guessbook/(?P=log_id) (?P<signature>[A-Za-z0-9+/=]+)\n"
)


class BadCheckpoint(Exception):
    """A text that is no signed checkpoint, or whose signature is not what it says."""


class BadKey(Exception):
    """The signing key can't be used."""


@dataclass(frozen=True)
class Checkpoint:
    log_id: str
    size: int  # number of events: the position of the last one
    root: bytes  # of the Merkle tree over them
    chain_hash: bytes  # of the frame that the last one is in
    time: str  # UTC, ISO 8601

    def text(self) -> str:
        root = base64.b64encode(self.root).decode()
        return f"{_origin(self.log_id)}\n{self.size}\n{root}\nchain {self.chain_hash.hex()}\ntime {self.time}\n"


class SigningKey:
    """The private key in a file that only its owner can read; made where there is none. Raises BadKey."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            _create(file)
        if file.stat().st_mode & 0o077:
            raise BadKey(f"{file} can be read by others. Nothing was signed. Run: chmod 600 {file}")
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        except ValueError as error:
            raise BadKey(f"{file} holds no private key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey(f"{file} holds a key of another kind than Ed25519")
        self._key = key

    def sign(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text()
        signature = base64.b64encode(self._name(checkpoint.log_id) + self._key.sign(text.encode())).decode()
        return f"{text}\n— {_origin(checkpoint.log_id)} {signature}\n"

    def public(self, log_id: str) -> str:
        """The public key as a line of text."""
        key = base64.b64encode(_ED25519 + self._key.public_key().public_bytes_raw()).decode()
        return f"{_origin(log_id)}+{self._name(log_id).hex()}+{key}"

    def _name(self, log_id: str) -> bytes:
        return _key_name(log_id, self._key.public_key().public_bytes_raw())


def parse(note: str) -> Checkpoint:
    """What a signed checkpoint says, its signature unchecked. Raises BadCheckpoint."""
    match = _match(note)
    root = base64.b64decode(match["root"])
    return Checkpoint(match["log_id"], int(match["size"]), root, bytes.fromhex(match["chain"]), match["time"])


def check(note: str, public_keys: Iterable[str]) -> Checkpoint:
    """What a signed checkpoint says, if one of the keys has signed it. Raises BadCheckpoint."""
    match = _match(note)
    try:
        signed = base64.b64decode(match["signature"], validate=True)
    except binascii.Error as error:
        raise BadCheckpoint(f"its signature can't be read: {error}") from error
    for line in public_keys:
        named = f"{_origin(match['log_id'])}+{signed[:4].hex()}+"
        if not line.startswith(named):
            continue
        try:
            key = Ed25519PublicKey.from_public_bytes(
                base64.b64decode(line.removeprefix(named).strip(), validate=True)[1:]
            )
            key.verify(signed[4:], match["text"].encode())
        except InvalidSignature as error:
            raise BadCheckpoint("its signature does not fit: it was changed after it was signed") from error
        except ValueError as error:
            raise BadCheckpoint(f"the public key {line!r} can't be read: {error}") from error
        return parse(note)
    raise BadCheckpoint(
        f"the public key {signed[:4].hex()} that it names is not there, so its signature can't be checked"
    )


def key_name(public_key: str) -> str:
    """The eight hex digits by which signatures name a public key."""
    return public_key.split("+")[1]


def _match(note: str) -> re.Match[str]:
    match = _NOTE.fullmatch(note)
    if match is None:
        raise BadCheckpoint("it is no signed checkpoint of a Guessbook log")
    return match


def _origin(log_id: str) -> str:
    return f"guessbook/{log_id}"


def _key_name(log_id: str, key: bytes) -> bytes:
    return hashlib.sha256(_origin(log_id).encode() + b"\n" + _ED25519 + key).digest()[:4]


def _create(file: Path) -> None:
    """A new key, durable and whole. Of two processes that make one at the same time, the first one's stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle, temporary = tempfile.mkstemp(prefix=f"{file.name}-", dir=file.parent)  # mkstemp gives it 0600
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(pem)
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            return
        sync_folder(file.parent)
    finally:
        os.unlink(temporary)
