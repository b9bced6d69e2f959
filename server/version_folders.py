"""Lays out each version as a folder that plain PEFT loads: models/versions/vNNN_YYYYMMDD_slug/ with metadata.json, and the `latest` link. The folder of a
deleted version is in models/trash/.

The folders are a view: they are made from the log and the artifacts, and can be made again at any time.
"""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from guessbook.projections.book import Book
from guessbook.projections.version_metadata import metadata_text
from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact, file_sha256, sync_folder
from guessbook.store.home import Home

_log = logging.getLogger(__name__)


def lay_out(home: Home, artifacts: Artifacts, version: Version, told: str) -> Path:
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
        (temporary / "metadata.json").write_text(told)
        temporary.chmod(0o755)
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(home.versions)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def tell(folder: Path, told: str) -> None:
    """Replaces the folder's metadata.json if it says something else."""
    file = folder / "metadata.json"
    if file.read_text() == told:
        return
    temporary = file.with_name(f".{file.name}-{os.getpid()}")
    temporary.write_text(told)
    temporary.replace(file)


def throw_away(home: Home, name: str) -> None:
    """Moves a deleted version's folder to the trash, where an older one of that name gives way to it."""
    folder, place = home.versions / name, home.trash / name
    if not folder.exists():
        return
    home.trash.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)  # a view, made from the artifacts
    folder.rename(place)


def point_latest(home: Home, name: str) -> None:
    """Moves the `latest` link in one step: at no moment is there none. An empty name takes it away."""
    latest = home.versions / "latest"
    if not name:
        latest.unlink(missing_ok=True)
        return
    link = home.versions / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.rename(latest)


def _link_problem(link: Path, latest: str) -> str:
    if not os.path.lexists(link):
        return f"{link} is not there" if latest else ""
    target = os.readlink(link) if link.is_symlink() else ""
    if latest and target == latest:
        return ""
    return f"{link} {f'points to {target}' if target else 'is no link'}, not to {latest or 'nothing'}"


def _folder_problem(folder: Path, version: Version) -> str:
    for file in version.files:
        path = folder / file.path
        try:
            sha256 = file_sha256(path)
        except OSError as error:
            return f"{path} can't be read: {error.strerror}"
        if sha256 != file.sha256:
            return f"{path} is not the file of {version.name}"
    return ""


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
        self._wanted: tuple[list[tuple[Version, str]], str] | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self, book: Book) -> None:
        """Has all folders be as the book has them."""
        versions = [(version, metadata_text(book, version)) for version in book.versions.versions]
        self._wanted = versions, book.versions.latest
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def settled(self) -> None:
        """Waits until what is wanted is there."""
        if self._task:
            await self._task

    async def link_problem(self, latest: str) -> str:
        """Why the link `latest` is not what it is to be; empty: it is."""
        return await asyncio.to_thread(_link_problem, self._home.versions / "latest", latest)

    async def folder_problem(self, version: Version) -> str:
        """Why a version's folder can't be used; empty: all its files are there and are the version's, every byte."""
        return await asyncio.to_thread(_folder_problem, self._home.versions / version.name, version)

    async def trash_problem(self, version: Version) -> str:
        """Why a deleted version is still where the others are; empty: it isn't."""
        folder = self._home.versions / version.name
        there = await asyncio.to_thread(folder.exists)
        return f"{folder} could not be moved to {self._home.trash}" if there else ""

    async def _run(self) -> None:
        while self._wanted:
            (versions, latest), self._wanted = self._wanted, None
            await asyncio.to_thread(self._lay_out_all, versions)
            if latest and not (self._home.versions / latest).exists():
                _log.error("latest is %s, which has no folder; the link stays where it is", latest)
            elif versions:
                try:
                    await asyncio.to_thread(point_latest, self._home, latest)
                except OSError:
                    _log.exception("the link latest could not be moved to %s; the log has it", latest)

    def _lay_out_all(self, work: Sequence[tuple[Version, str]]) -> None:
        for version, told in work:
            try:
                if version.purged:
                    shutil.rmtree(self._home.trash / version.name, ignore_errors=True)
                elif version.deleted_at_us:
                    throw_away(self._home, version.name)
                else:
                    tell(lay_out(self._home, self._artifacts, version, told), told)
            except (OSError, ValueError, MissingArtifact, DamagedArtifact):
                _log.exception("%s has no folder; the version itself is safe in the log", version.name)
