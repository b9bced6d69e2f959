"""Lays out each version as a folder that plain PEFT loads: models/versions/vNNN_YYYYMMDD_slug/ with metadata.json, and the `latest` link.

The folders are a view: they are made from the log and the artifacts, and can be made again at any time.
"""

import asyncio
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guessbook.projections.book import Book
from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact, sync_folder
from guessbook.store.home import Home

_log = logging.getLogger(__name__)


def metadata(book: Book, version: Version) -> dict[str, Any]:
    """What metadata.json says. Numbers are as the log has them; accuracies are null where no snapshot was taken."""
    dataset = book.datasets.by_sha256.get(version.dataset)
    run = book.runs.by_id.get(version.run)
    config = run.run.config if run else None
    baseline = version.baseline_accuracy if version.baseline_accuracy >= 0 else None
    final = version.final_accuracy if version.final_accuracy >= 0 else None
    improved = final - baseline if final is not None and baseline is not None else None
    return {
        "version": version.name,
        "created": datetime.fromtimestamp(version.created_at_us / 1e6, tz=UTC).isoformat(),
        "parent_version": version.parent or None,
        "base_model": version.base_model,
        "training_data": {
            "file": dataset.name if dataset else None,
            "examples": dataset.count if dataset else None,
            "md5": dataset.md5 if dataset else None,
            "sha256": version.dataset,
        },
        "training_config": {
            "learning_rate": config.learning_rate if config else None,
            "lora_r": config.lora_r if config else None,
            "steps": version.steps,
            "final_loss": round(version.final_loss, 6),
        },
        "performance": {
            "baseline_accuracy": _rounded(baseline),
            "final_accuracy": _rounded(final),
            "improvement": _rounded(improved),
        },
        "evolution_data": f"run/{version.run}",
        "notes": "",
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def lay_out(home: Home, artifacts: Artifacts, version: Version, told: dict[str, Any]) -> Path:
    """Makes the version's folder, whole or not at all, and returns it. Does nothing where it is there already.

    Raises MissingArtifact, DamagedArtifact.
    """
    folder = home.versions / version.name
    if folder.exists():
        return folder
    home.versions.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{version.name}-", dir=home.versions))
    try:
        for file in version.files:
            target = _inside(temporary, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for block in artifacts.read(file.sha256):
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
        (temporary / "metadata.json").write_text(json.dumps(told, indent=2) + "\n")
        temporary.chmod(0o755)
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(home.versions)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def point_latest(home: Home, name: str) -> None:
    """Moves the `latest` link in one step: at no moment is there none."""
    link = home.versions / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.rename(home.versions / "latest")


def _inside(folder: Path, relative: str) -> Path:
    target = (folder / relative).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(f"a version's file must lie in its folder, {relative!r} does not")
    return target


class VersionFolders:
    """Keeps the folders as the log has them: one at a time, in the background. A version that can't be laid out holds up no other."""

    def __init__(self, home: Home, artifacts: Artifacts) -> None:
        self._home = home
        self._artifacts = artifacts
        self._wanted: list[tuple[Version, dict[str, Any]]] = []
        self._task: asyncio.Task[None] | None = None

    def want(self, book: Book) -> None:
        """Lays out all versions of the book that are not there yet."""
        self._wanted = [(version, metadata(book, version)) for version in book.versions.versions]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def settled(self) -> None:
        """Waits until what is wanted is there."""
        if self._task:
            await self._task

    async def _run(self) -> None:
        while self._wanted:
            work, self._wanted = self._wanted, []
            await asyncio.to_thread(self._lay_out_all, work)

    def _lay_out_all(self, work: Sequence[tuple[Version, dict[str, Any]]]) -> None:
        for version, told in work:
            try:
                lay_out(self._home, self._artifacts, version, told)
            except (OSError, ValueError, MissingArtifact, DamagedArtifact):
                _log.exception("%s has no folder; the version itself is safe in the log", version.name)
            else:
                point_latest(self._home, version.name)
