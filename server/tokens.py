"""The tokens that were given out: whose they are, what they may do, and how one is recognised. Knows files, no gRPC.

Kept is the SHA-256 of each; a token is 256 random bits, so nobody can guess one back from its hash. The plain text of the four that this machine's
own programs use lies in files that only their owner can read.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from guessbook.proto.events_pb2 import Role
from guessbook.store.artifacts import sync_folder


def role_name(role: "Role.ValueType") -> str:
    return Role.Name(role).removeprefix("ROLE_").lower()


ROLES = {role_name(role): role for role in Role.values() if role}


@dataclass(frozen=True)
class Token:
    name: str  # what the log calls whoever uses it
    role: str  # a key of ROLES
    sha256: str
    created_us: int
    revoked_us: int = 0  # 0: it is valid


class Tokens:
    """All tokens of a data folder, revoked ones included. Raises BadTokens for a file that isn't one of tokens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "hashes.json"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._known = {token.name: token for token in _read(self._file)}

    def __iter__(self) -> Iterator[Token]:
        """In the order they were made."""
        yield from self._known.values()

    def __getitem__(self, name: str) -> Token:
        return self._known[name]

    def identify(self, secret: str) -> Token | None:
        """Whose token this is; None for a wrong or a revoked one. Takes the same time for every wrong one."""
        digest = _sha256(secret)
        found = None
        for token in self._known.values():
            if hmac.compare_digest(token.sha256, digest) and not token.revoked_us:
                found = token
        return found

    def make_missing(self, now_us: int) -> list[Token]:
        """At a first start: one token a role, named like it, for the programs of this data folder."""
        missing = [role for role in ROLES if role not in self._known]
        for role in missing:
            self.create(role, role, now_us)
        return [self._known[role] for role in missing]

    def create(self, name: str, role: str, now_us: int) -> str:
        """The new token's plain text, which is kept nowhere but in a role's own file."""
        secret = secrets.token_urlsafe(32)
        self._keep(Token(name, role, _sha256(secret), now_us))
        if name == role:
            _write(self._folder / role, secret + "\n")
        return secret

    def revoke(self, name: str, now_us: int) -> None:
        """From now on it is as good as none."""
        self._keep(replace(self._known[name], revoked_us=now_us))

    def _keep(self, token: Token) -> None:
        known = {**self._known, token.name: token}
        _write(self._file, json.dumps([asdict(one) for one in known.values()], indent=1) + "\n")
        self._known = known


class BadTokens(Exception):
    """The file of hashes can't be read. Who would be let in is unknown, so nobody is."""


def _read(file: Path) -> list[Token]:
    try:
        tokens = [Token(**row) for row in json.loads(file.read_text())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise BadTokens(f"{file} can't be read ({error}); move it away, and new tokens are made") from error
    return tokens


def _write(file: Path, text: str) -> None:
    """All or nothing, durable, for the owner alone."""
    handle, name = tempfile.mkstemp(dir=file.parent)  # mkstemp gives it mode 0600
    with os.fdopen(handle, "w") as temporary:
        temporary.write(text)
        temporary.flush()
        os.fsync(temporary.fileno())
    os.replace(name, file)
    sync_folder(file.parent)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
