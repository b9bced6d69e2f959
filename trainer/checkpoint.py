"""Checkpoints that can be trusted: the Trainer writes the files, this page proves that all of them are there.

Knows folders and hashes, not what a checkpoint holds. Beside the files of `checkpoint-<step>` lies `complete.json` with the SHA-256
of each of them. It is written last, after everything else was fsynced: without it, or with a file that differs, a checkpoint is torn.
"""

import json
import logging
import shutil
from pathlib import Path

from guessbook.store.artifacts import file_sha256
from guessbook.trainer.durable import sync_tree, write_durably

MARKER = "complete.json"
KEPT = 2

_log = logging.getLogger(__name__)


def place(folder: Path, step: int) -> Path:
    """Where transformers' Trainer puts the checkpoint of a step."""
    return folder / f"checkpoint-{step}"


def complete(checkpoint: Path) -> int:
    """Makes a checkpoint's files durable and marks them as complete. Returns their size in bytes."""
    files = {str(path.relative_to(checkpoint)): path for path in sorted(checkpoint.rglob("*")) if path.is_file()}
    sync_tree(checkpoint)
    hashes = {name: file_sha256(path) for name, path in files.items()}
    write_durably(checkpoint / MARKER, json.dumps({"sha256": hashes}, indent=1))
    return sum(path.stat().st_size for path in files.values())


def is_complete(checkpoint: Path) -> bool:
    """Whether every file is there as it was written. Reads all of them."""
    try:
        hashes: dict[str, str] = json.loads((checkpoint / MARKER).read_text())["sha256"]
        return all(file_sha256(checkpoint / name) == sha256 for name, sha256 in hashes.items())
    except (OSError, ValueError, KeyError) as error:
        _log.warning("The checkpoint %s is torn and is passed over: %s", checkpoint, error)
        return False


def last_complete(folder: Path, at_most: int) -> Path | None:
    """The newest checkpoint that is complete and not after the step `at_most`."""
    candidates = (checkpoint for step, checkpoint in reversed(_checkpoints(folder)) if step <= at_most)
    return next(filter(is_complete, candidates), None)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def discard_after(folder: Path, step: int) -> None:
    """Removes the checkpoints of later steps, before those steps are trained again."""
    for later, checkpoint in _checkpoints(folder):
        if later > step:
            shutil.rmtree(checkpoint)


def prune(folder: Path) -> None:
    """Keeps the newest two. To be called when the newest one is complete."""
    for _, checkpoint in _checkpoints(folder)[:-KEPT]:
        shutil.rmtree(checkpoint)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """All of them by step, torn ones too."""
    return sorted((step_of(path), path) for path in folder.glob("checkpoint-*") if path.is_dir())
