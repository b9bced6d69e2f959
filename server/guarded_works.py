"""What the kinds of guarded operations do outside the log, and how each is checked afterwards. Decides nothing."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import (
    ConfigChanged,
    Event,
    JobQueued,
    LatestMoved,
    Priority,
    TrainingConfig,
)
from guessbook.proto.history_pb2 import JOB_STATE_CANCELLED, JOB_STATE_FAILED, Version
from guessbook.proto.safety_pb2 import Operation
from guessbook.server.decide.jobs import Decision, submit
from guessbook.server.decide.operations import OVER
from guessbook.server.guarded import AS_IT_WAS, CannotGoOn
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.version_folders import VersionFolders
from guessbook.store import config as config_file
from guessbook.store.artifacts import Artifacts, DamagedArtifact, MissingArtifact, file_sha256
from guessbook.store.home import Home

IN_THE_WAY = "The server's log says what is in the way. Clear it away, and ask again."


@dataclass
class _Inside:
    """An operation that happens in the log alone."""

    live: LiveBook
    folders: VersionFolders
    artifacts: Artifacts

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        return [], ""

    async def undo(self, operation: Operation) -> str:
        return AS_IT_WAS  # the events of the undoing do it

    async def _whole(self, version: Version) -> None:
        for file in version.files:
            try:
                await asyncio.to_thread(self.artifacts.verified_path, file.sha256)
            except (MissingArtifact, DamagedArtifact, OSError) as error:
                raise CannotGoOn(
                    f"{file.path} of {version.name} is not whole: {error}", "Restore it from a backup."
                ) from error

    async def _laid_out(self) -> str:
        """Has folders and link be as the book has them, and looks at the link; the latest version then. Raises CannotGoOn."""
        while True:
            latest = self.live.book.versions.latest
            self.folders.want(self.live.book)
            await self.folders.settled()
            problem = await self.folders.link_problem(latest)
            if latest != self.live.book.versions.latest:  # a training has ended
                continue
            if problem:
                raise CannotGoOn(problem, IN_THE_WAY)
            return latest


class DeletedVersion(_Inside):
    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        version = self.live.book.versions.get(operation.target)
        if version is None or not version.deleted_at_us:
            raise CannotGoOn(
                f"{operation.target} is not in the trash", "This is a defect of Guessbook; please report it."
            )
        await self._whole(version)  # it must be able to come back
        await self._laid_out()
        if problem := await self.folders.trash_problem(version):
            raise CannotGoOn(problem, IN_THE_WAY)
        return [], f"{version.name} is in the trash and its {len(version.files)} files are whole there"


class RolledBack(_Inside):
    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        version = self.live.book.versions.get(operation.target)
        latest = await self._laid_out()
        if version is None or latest != version.name:
            raise CannotGoOn(f"{latest} became the latest meanwhile, and stays it", "Roll back again if you want to.")
        await self._whole(version)
        if problem := await self.folders.folder_problem(version):
            hint = "Move the folder away, and roll back again: the server lays it out anew, from the artifacts."
            raise CannotGoOn(problem, hint)
        return [], f"latest is {version.name}, and its {len(version.files)} files are whole"


class SwitchedBaseModel(_Inside):
    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        model = self.live.book.base_models.by_name[operation.target]
        for file in model.files:
            try:
                sha256 = await asyncio.to_thread(file_sha256, Path(file.path))
            except OSError as error:
                raise CannotGoOn(
                    f"{file.path} can't be read: {error}", "Put the file back, or register it anew."
                ) from error
            if sha256 != file.sha256:
                raise CannotGoOn(
                    f"{file.path} is not the file that was registered", "Register it anew under another name."
                )
        return [], f"the {len(model.files)} files of {model.name} are those that were registered"


@dataclass
class ChangedConfig:
    """The new text waits beside config.yaml, since the log must not know what is secret in it."""

    home: Home

    def propose(self, text: str) -> None:
        config_file.write(self._next(_text_sha256(text)), text)

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        wanted = json.loads(operation.after)["sha256"]
        current, following = self._text(self.home.config), self._text(self._next(wanted))
        if _text_sha256(current) != wanted:
            if _text_sha256(following) != wanted:
                raise CannotGoOn("the new config is gone", "Give it again.")
            if _text_sha256(current) != json.loads(operation.before)["sha256"]:
                raise CannotGoOn(
                    "config.yaml was changed by somebody else meanwhile", "Look at it and give yours again."
                )
            try:
                config_file.write(self._before(operation), current)
                config_file.write(self.home.config, following)
            except OSError as error:
                raise CannotGoOn(
                    f"config.yaml can't be written: {error}", "Remove the cause and give it again."
                ) from error
        changed = ConfigChanged(before=operation.before, after=operation.after)
        return [Event(subject="server", config_changed=changed)], ""

    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        try:
            _, text = config_file.read(self.home.config)
        except (config_file.BadConfig, OSError) as error:
            raise CannotGoOn(str(error), "Correct it and give it again.") from error
        wanted = json.loads(operation.after)["sha256"]
        if _text_sha256(text) != wanted:
            raise CannotGoOn("config.yaml was changed by somebody else meanwhile", "Look at it and give yours again.")
        self._next(wanted).unlink(missing_ok=True)
        self._before(operation).unlink(missing_ok=True)
        return [], "config.yaml was read back and says what was asked for"

    async def undo(self, operation: Operation) -> str:
        before, wanted = self._before(operation), json.loads(operation.after)["sha256"]
        if before.exists() and _text_sha256(self._text(self.home.config)) == wanted:  # else it is somebody else's
            config_file.write(self.home.config, self._text(before))
        before.unlink(missing_ok=True)
        self._next(wanted).unlink(missing_ok=True)
        return AS_IT_WAS

    def _next(self, sha256: str) -> Path:
        return self.home.config.with_name(f".config.yaml.next-{sha256[:12]}")

    def _before(self, operation: Operation) -> Path:
        return self.home.config.with_name(f".config.yaml.before-{operation.id}")

    @staticmethod
    def _text(path: Path) -> str:
        return path.read_text(encoding="utf-8") if path.exists() else ""


def _text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class PrunedBackups:
    """`remove` takes a backup away from a place and records it: actor, place, backup, operation; again it does nothing.

    `verify_newest` reads the newest of each place back. Both raise CannotGoOn.
    """

    remove: Callable[[str, str, str, str], Awaitable[None]]
    verify_newest: Callable[[], Awaitable[str]]

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        chosen = json.loads(operation.after)["pruned"]
        for place, backup in chosen:
            await self.remove(operation.actor, place, backup, operation.id)
        return [], json.dumps({"removed": len(chosen)})

    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        return [], await self.verify_newest()

    async def undo(self, operation: Operation) -> str:
        return "What was removed until then is gone, and was older than the rules keep; all else is as it was."


@dataclass
class Consolidated:
    """A trainer does the merge and its proof, as a job; here it is queued, waited for, and its figures are judged."""

    live: LiveBook
    artifacts: Artifacts

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        if not operation.job:
            await self.live.decide(operation.actor, lambda book: _queued(book, operation))
        job = self.live.book.operations.by_id[operation.id].job
        while self.live.book.jobs.jobs[job].state not in OVER:
            await self.live.fold.moved()
        ended = self.live.book.jobs.jobs[job]
        if ended.state == JOB_STATE_CANCELLED:
            raise CannotGoOn("the merge was cancelled", "Nothing of it was kept. Consolidate again if you want to.")
        if ended.state == JOB_STATE_FAILED:
            raise CannotGoOn(f"the merge was refused: {ended.error}", ended.hint)
        return [], json.dumps({"version": self._made(ended.run).name})

    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        version = self.live.book.versions.get(json.loads(operation.result)["version"])
        if version is None:
            raise CannotGoOn("the merged version is not in the log", "Consolidate again.")
        proof = version.consolidation
        if (
            not proof.max_logit_difference <= proof.tolerance
            or proof.same_guesses < proof.examples
            or not proof.examples
        ):
            raise CannotGoOn(
                f"the merged model differs from base and adapter by {proof.max_logit_difference:.3g} "
                f"({proof.tolerance:.3g} is allowed), {proof.same_guesses} of {proof.examples} guesses are the same",
                "The adapter is as it was. Look at the trainer's log.",
            )
        for file in version.files:
            try:
                await asyncio.to_thread(self.artifacts.verified_path, file.sha256)
            except (MissingArtifact, DamagedArtifact, OSError) as error:
                raise CannotGoOn(
                    f"{file.path} of the merged model is not whole: {error}", "Consolidate again."
                ) from error
        latest = self.live.book.versions.latest
        told = (
            f"{version.name}: logits differ by at most {proof.max_logit_difference:.3g} ({proof.tolerance:.3g} is allowed), "
            f"{proof.same_guesses} of {proof.examples} guesses are the same, and from the base alone by {proof.difference_from_base:.3g}"
        )
        if latest != json.loads(operation.before)["latest"]:
            return [], f"{told}; {latest} came meanwhile and stays the latest"
        moved = LatestMoved(**{"from": latest, "to": version.name})
        return [Event(subject=f"version/{version.name}", latest_moved=moved)], told

    async def undo(self, operation: Operation) -> str:
        """The events of the undoing end its job. A merged version that was recorded all the same stays, without being the latest."""
        return "The adapter is as it was, and so is latest."

    def _made(self, run: str) -> Version:
        name = self.live.book.versions.name_of_run.get(run, "")
        version = self.live.book.versions.get(name)
        if version is None:
            raise CannotGoOn("the trainer ended without a version", "Look at the trainer's log, and consolidate again.")
        return version


def _queued(book: Book, operation: Operation) -> Decision:
    """The job of an operation, once: after a crash it may be there already."""
    if book.operations.by_id[operation.id].job:
        return Decision("", "")
    version = book.versions.get(operation.target)
    if version is None:
        raise CannotGoOn(f"{operation.target} is not there any more", "Nothing was changed.")
    run = book.runs.by_id.get(version.run)
    config = TrainingConfig()
    if run:
        config.CopyFrom(run.run.config)
    config.base_model = version.base_model
    wanted = JobQueued(
        name=f"consolidate {version.name}",
        dataset=version.dataset,
        priority=Priority.PRIORITY_HIGH,
        config=config,
        consolidate=version.name,
    )
    decision = submit(book, now_us(), wanted)
    for event in decision.events:
        event.correlation = f"operation/{operation.id}"
    return decision
