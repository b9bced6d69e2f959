"""Checkpoints that can be trusted: the Trainer writes the files, this page proves that all of them are there.

Knows folders and hashes, not what a checkpoint holds. Beside the files of `checkpoint-<step>` lies `complete.json` with the SHA-256
of each of them. It is written last, after everything else was fsynced: without it, or with a file that differs, a checkpoint is torn.
"""

import json
import logging
import os
import shutil
import socket
from collections.abc import Collection
from pathlib import Path

from guessbook.store.artifacts import file_sha256, sync_folder
from guessbook.trainer.durable import sync_tree, write_durably
from guessbook.trainer.errors import TornCheckpoint

MARKER = "complete.json"
KEPT = 2
ASIDE = "set-aside"  # a folder in that of a run

_log = logging.getLogger(__name__)


def place(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies; transformers' Trainer names it so."""
    return folder / f"checkpoint-{step}"


def staging(folder: Path) -> Path:
    """Where this process writes a checkpoint until it is complete. Nobody else writes there, whoever else believes that the run is his."""
    return folder / f".saving-{socket.gethostname()}-{os.getpid()}"


def publish(folder: Path, step: int) -> Path:
    """Puts a complete checkpoint from staging in its place, whole or not at all, and returns that."""
    path = place(folder, step)
    if path.exists():
        shutil.rmtree(path)
    place(staging(folder), step).rename(path)
    sync_folder(folder)
    return path


def complete(checkpoint: Path) -> int:
    """Makes a checkpoint's files durable, marks them as complete and reads them back. Returns their size in bytes.

    Raises TornCheckpoint if what is read is not what was written.
    """
    files = {str(path.relative_to(checkpoint)): path for path in sorted(checkpoint.rglob("*")) if path.is_file()}
    hashes = {name: file_sha256(path) for name, path in files.items()}
    sync_tree(checkpoint)
    write_durably(checkpoint / MARKER, json.dumps({"sha256": hashes}, indent=1))
    for path in files.values():
        _forget(path)
    if not is_complete(checkpoint):
        raise TornCheckpoint(
            f"the checkpoint {checkpoint} reads back differently from what was written",
            "The checkpoint before it is kept. Look at that disk before you submit the file again.",
        )
    return sum(path.stat().st_size for path in files.values())


def is_complete(checkpoint: Path) -> bool:
    """Whether every file is there as it was written. Reads all of them."""
    try:
        hashes: dict[str, str] = json.loads((checkpoint / MARKER).read_text())["sha256"]
        differing = [name for name, sha256 in hashes.items() if file_sha256(checkpoint / name) != sha256]
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("The checkpoint %s is torn and is passed over: %s", checkpoint, error)
        return False
    if differing:
        _log.warning("The checkpoint %s is torn and is passed over: %s differs", checkpoint, ", ".join(differing))
    return not differing


def last_complete(folder: Path, at_most: int) -> Path | None:
    """The newest checkpoint that is complete and not after the step `at_most`."""
    candidates = (checkpoint for step, checkpoint in reversed(_checkpoints(folder)) if step <= at_most)
    return next(filter(is_complete, candidates), None)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def go_back(folder: Path, step: int) -> Path | None:
    """Returns the newest checkpoint that is complete and not after `step`, the last one that the log knows of: the run goes on from there.

    Later ones are removed, as their steps are trained again, and so is what nobody completed. Where there is none to go back to, they are
    set aside: they may be all that is left of the work.
    """
    for unfinished in folder.glob(".saving-*"):
        shutil.rmtree(unfinished)
    last = last_complete(folder, at_most=step)
    later = [path for number, path in _checkpoints(folder) if number > (step_of(last) if last else 0)]
    if later and last is None:
        _set_aside(folder, later)
        return None
    for path in later:
        shutil.rmtree(path)
    return last


def _set_aside(folder: Path, checkpoints: list[Path]) -> None:
    aside = folder / ASIDE
    _log.warning(
        "%s has no checkpoint that is whole and known to the log, so the run begins anew. What is there is kept in %s: %s.",
        folder,
        aside,
        ", ".join(path.name for path in checkpoints),
    )
    aside.mkdir(exist_ok=True)
    for path in checkpoints:
        if (aside / path.name).exists():
            shutil.rmtree(aside / path.name)
        path.rename(aside / path.name)


def discard_unfinished(folder: Path) -> None:
    """Removes what this process has begun to save and can't complete: on a full disk it would take the room that the next one needs."""
    unfinished = staging(folder)
    try:
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
    except OSError as error:
        _log.warning("%s could not be removed: %s. It goes when the run is taken up again.", unfinished, error)


def prune(folder: Path, known: int) -> None:
    """Removes what is older than the newest two that are complete. To be called when the newest one is.

    The newest complete one not after `known`, up to which the server has everything for sure, stays too: if this trainer is lost before the server
    hears of the others, the run goes back to that one. A torn one counts for nothing: while there is no second good one, all stay.
    """
    kept, safe = 0, False
    for step, checkpoint in reversed(_checkpoints(folder)):
        if kept >= KEPT and (safe or step > known):
            shutil.rmtree(checkpoint)
        elif kept == 0 or is_complete(checkpoint):  # the newest was read back when it was completed
            kept += 1
            safe = safe or step <= known


def remove_runs(folder: Path, runs: Collection[str]) -> None:
    """Removes all checkpoints of runs that nobody goes on with: whose job is completed, and whose version is in the artifacts."""
    for run in folder.iterdir() if folder.is_dir() else ():
        if run.name in runs:
            shutil.rmtree(run)


def _checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """All of them by step, torn ones too."""
    return sorted((step_of(path), path) for path in folder.glob("checkpoint-*") if path.is_dir())


def _forget(path: Path) -> None:
    """Lets the system forget what it has of a file in memory, so that the next read is one of the disk; where it can be asked to."""
    if hasattr(os, "posix_fadvise"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
