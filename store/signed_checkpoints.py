"""A folder of signed checkpoints and the public keys they are checked with. Files are added and never changed. Knows no log.

<log id>-000000001500.checkpoint     one for each size that was signed
<log id>-<key name>.pub              each public key that was used
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from guessbook.store import signing
from guessbook.store.artifacts import sync_folder
from guessbook.store.signing import BadCheckpoint, Checkpoint

SUFFIX = ".checkpoint"
KEY_SUFFIX = ".pub"


@dataclass(frozen=True)
class Stored:
    """A file that says it is a signed checkpoint, and whether it is: `checkpoint`, or else `problem`."""

    file: Path
    note: str
    checkpoint: Checkpoint | None
    problem: str


def write(folder: Path, note: str, public_key: str) -> Path:
    """Adds a checkpoint and its key, whole and durable when this returns. The folder must be there. Raises OSError."""
    checkpoint = signing.parse(note)
    _add(folder / f"{checkpoint.log_id}-{signing.key_name(public_key)}{KEY_SUFFIX}", public_key + "\n")
    place = folder / f"{checkpoint.log_id}-{checkpoint.size:012d}{SUFFIX}"
    _add(place, note)
    return place


def files(place: Path, log_id: str = "") -> list[Path]:
    """The checkpoints in a folder, of one log or of all, by size; a file is itself. A folder that isn't there has none."""
    if place.suffix == SUFFIX:
        return [place]
    return sorted(place.glob(f"{log_id}*{SUFFIX}"))


def log_id_of(file: Path) -> str:
    """The log that a checkpoint is of, by its file's name."""
    return file.name.rpartition("-")[0]


def public_keys(folder: Path) -> list[str]:
    return [file.read_text().strip() for file in sorted(folder.glob(f"*{KEY_SUFFIX}"))]


def read(file: Path, keys_beside: Path | None = None) -> Stored:
    """Reads a checkpoint and checks its signature with the keys in its folder, and those in another. Raises OSError."""
    note = file.read_bytes().decode(errors="replace")
    keys = public_keys(file.parent)
    if keys_beside:
        keys += public_keys(keys_beside)
    try:
        return Stored(file, note, signing.check(note, keys), "")
    except BadCheckpoint as bad:
        return Stored(file, note, None, str(bad))


def _add(place: Path, text: str) -> None:
    if place.exists():
        return
    handle, temporary = tempfile.mkstemp(prefix="incoming-", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o444)
        os.rename(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(place.parent)
