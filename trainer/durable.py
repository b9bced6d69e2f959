"""Folders that are there whole or not at all, even after a power cut. Knows files, not what they mean."""

import os
from pathlib import Path

from guessbook.store.artifacts import sync_folder


def sync_tree(folder: Path) -> None:
    """Makes every file and folder below `folder`, and its own entry in its parent, durable."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            sync_folder(path)
        else:
            _sync_file(path)
    sync_folder(folder.parent)


def write_durably(path: Path, text: str) -> None:
    """Replaces a file's content; a reader sees the old one or the new one, never a part."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(text)
    _sync_file(beside)
    beside.rename(path)
    sync_folder(path.parent)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
