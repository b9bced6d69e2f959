"""What a backup holds, as the JSON that lies beside its objects. Knows names and hashes, not how they get anywhere.

A manifest names its own checksum: one that was cut short or changed is no backup.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from guessbook.store.place import DamagedBackup

FORMAT = "guessbook backup 1"


@dataclass(frozen=True)
class Segment:
    """Whole frames of the log, from one position to another, with the producers' rows that belong to them, in one object."""

    first: int
    last: int
    chain_hash: str  # hex, of the last frame
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Copied:
    """A file of the data folder."""

    path: str  # relative to the data folder, with "/"
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Manifest:
    id: str
    kind: str  # manual, daily, pre_deletion …
    created: str  # UTC, ISO 8601
    reason: str
    actor: str
    version: str  # of Guessbook
    log_id: str
    origin: str  # the id of the log that the hash chain began in
    head: int  # the last position in it
    chain_hash: str  # hex, of the head; the genesis hash where the log is empty
    segments: Sequence[Segment]
    files: Sequence[Copied]
    missing: Sequence[str]  # artifacts (SHA-256) that the log refers to and that were not whole in the data folder
    new_bytes: int  # that the place lacked
    format: str = field(default=FORMAT)

    @property
    def objects(self) -> dict[str, int]:
        """SHA-256 and bytes of all that it is made of."""
        parts: Sequence[Segment | Copied] = [*self.segments, *self.files]
        return {one.sha256: one.size for one in parts}

    @property
    def size(self) -> int:
        return sum(self.objects.values())

    def text(self) -> bytes:
        told = asdict(self)
        return json.dumps({**told, "checksum": _checksum(told)}, indent=1, sort_keys=True).encode() + b"\n"


def parse(told: Any, name: str) -> Manifest:
    """Raises DamagedBackup unless it is a manifest that was written as it is now."""
    try:
        checksum = told.pop("checksum")
        if told["format"] != FORMAT:
            raise DamagedBackup(f"{name} is {told['format']!r}; this program reads {FORMAT!r}")
        if checksum != _checksum(told):
            raise DamagedBackup(f"{name} was changed after it was written")
        segments = [Segment(**one) for one in told.pop("segments")]
        files = [Copied(**one) for one in told.pop("files")]
        manifest = Manifest(**told, segments=segments, files=files)
    except (AttributeError, KeyError, TypeError) as error:
        raise DamagedBackup(f"{name} is no manifest of a backup: {error!r}") from error
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise DamagedBackup(f"{name} names a file outside of the data folder: {file.path}")
    return manifest


def _checksum(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
