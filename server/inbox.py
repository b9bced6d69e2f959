"""The inbox: a file that is put into inbox/priority or inbox/normal becomes a job, or is moved to inbox/rejected with a report. Nothing is deleted.

First the bytes are in the artifacts, then the log says what the file is and where it goes, then it is moved. Cut off in between, the next start sees
by the content that the job is there, and only moves the file.
"""

import asyncio
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from guessbook.proto.control_pb2 import SubmitJobRequest, SubmitJobResponse
from guessbook.proto.events_pb2 import Event, FileReceived, LineError
from guessbook.proto.history_pb2 import At, Job
from guessbook.server.decide import inbox
from guessbook.server.decide.inbox import Known
from guessbook.server.decide.rejection import Rejection
from guessbook.server.folder_watch import FolderWatch
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.submission import Submission
from guessbook.store import config as config_file
from guessbook.store import dropped_file, job_config
from guessbook.store.artifacts import Artifacts
from guessbook.store.config import PRIORITIES, BadConfig, InboxConfig
from guessbook.store.dropped_file import State, StillWritten, Unfit
from guessbook.store.home import Home
from guessbook.store.job_config import JobConfig
from guessbook.store.log import Append

UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~")
SIDECARS = (".yaml", ".yml")
SIDECAR_BYTES = 256 * 1024
REASON = 1000  # characters of it in the log; the report has it whole
RETRY_S = 60.0
WRITTEN_S = 5.0  # until a file that somebody writes to is looked at again
SERVER = "server"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Dropped:
    """A file as it was when it was looked at. `received`: what the log is to say of it, as far as that is known."""

    path: Path
    actor: str
    state: State
    received: FileReceived

    def is_same(self) -> bool:
        """Whether nobody has changed it since, or put another in its place."""
        return dropped_file.state(self.path) == self.state

    def check_same(self) -> None:
        """Raises StillWritten."""
        if not self.is_same():
            raise StillWritten(f"{self.path} was changed since it was looked at")


class Inbox:
    def __init__(self, live: LiveBook, home: Home, artifacts: Artifacts, submission: Submission) -> None:
        self._live = live
        self._home = home
        self._artifacts = artifacts
        self._submission = submission
        # Of files whose rejection is in the log and that could not be moved yet.
        self._told: dict[Path, tuple[State, FileReceived]] = {}

    def start(self) -> None:
        folders = [self._home.inbox / "priority", self._home.inbox / "normal"]
        self._watch = FolderWatch(folders, _is_dataset, InboxConfig.settled_s, _sidecars)
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Has it put away what was completed."""
        self._watch.wake()

    async def close(self) -> None:
        """Leaves what is under way to the next start."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._watch.close()

    async def _run(self) -> None:
        while True:
            try:
                config = (await asyncio.to_thread(config_file.read, self._home.config))[0].inbox
                self._watch.settled_s = config.settled_s
                for path in await self._watch.settled():
                    self._watch.put_off(path, await self._taken(path, config))
                await self._put_away()
            except Exception:  # noqa: BLE001  a folder that can't be read, a bad config: the next look may succeed
                _log.exception("the inbox could not be looked at, and is again in %g s", RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def _taken(self, path: Path, config: InboxConfig) -> float:
        """Takes a file; if it is still there, it is to be looked at again after so many seconds."""
        try:
            if config.enabled:
                await self._take(path, config)
        except StillWritten:
            return WRITTEN_S
        except FileNotFoundError as error:
            _log.info("%s went away: %s", path, error)
        except Exception:  # noqa: BLE001  a full disk, say, or a folder that can't be written to: nothing was lost, and others have their turn
            _log.exception("%s stays where it is, and is tried again in %g s", path, RETRY_S)
        return RETRY_S

    async def _take(self, path: Path, config: InboxConfig) -> None:
        file = await asyncio.to_thread(self._looked_at, path)
        try:
            request = await asyncio.to_thread(self._request, path, config)
        except Unfit as error:
            await self._reject(file, f"{error}.")
            return
        file.check_same()  # so what is stored is what is moved, or nothing is
        received = file.received
        received.sha256 = request.dataset
        if job := inbox.job_of(await self._live.at(At()), received.sha256):
            await self._known(file, job)
            return
        active = self._home.active / self._active_name(path)
        received.moved_to = self._relative(active)
        try:
            answer = await self._submission.submit(file.actor, request, received)
        except Known as known:
            await self._known(file, known.job)
        except Rejection as error:
            await self._reject(file, f"{error}. {error.hint}".strip())
        else:
            if answer.rejected:
                await self._reject_lines(file, answer)
            else:
                await asyncio.to_thread(self._move_queued, file, active)
                _log.info("%s (%s) is job %s", received.file, file.actor, answer.job.id)

    def _looked_at(self, path: Path) -> _Dropped:
        state, actor = dropped_file.state(path), f"owner:{dropped_file.owner(path)}"
        return _Dropped(path, actor, state, FileReceived(file=self._relative(path)))

    def _move_queued(self, file: _Dropped, active: Path) -> None:
        """Where another file has its name by now, that one stays for its own turn, and the job's is written anew."""
        if file.is_same():
            _move(file.path, active)
        else:
            dropped_file.write(active, self._artifacts.read(file.received.sha256))

    async def _known(self, file: _Dropped, job: Job) -> None:
        """Its content is a job already: perhaps it is the job's own file, which a crash kept here."""
        active = self._home.active / Path(job.file).name
        if job.file == self._relative(active) and not active.exists():
            file.check_same()
            await asyncio.to_thread(_move, file.path, active)
            _log.info("%s is the file of job %s, and is moved now", file.received.file, job.id)
            return
        rejected = self._rejected_name(file.path)
        advice = f"To train on it once more: guessbook submit {self._home.rejected / rejected}"
        await self._reject(file, f"{Known(job)}.", advice=advice)

    async def _reject_lines(self, file: _Dropped, answer: SubmitJobResponse) -> None:
        if not answer.error_count:
            await self._reject(file, "It has no line to train on.")
            return
        path = file.path
        advice = (
            f"Mend these lines and move it back to {self._relative(path.parent)}/. To leave them out instead, put {path.stem}.yaml beside it first, "
            "with the line: skip_bad_lines: true"
        )
        reason = f"{answer.error_count:,} of {answer.lines:,} lines can't be read."
        await self._reject(file, reason, answer.errors, advice)

    async def _reject(
        self,
        file: _Dropped,
        reason: str,
        lines: Iterable[LineError] = (),
        advice: str = "Mend it, and move it back.",
    ) -> None:
        """Raises StillWritten where it is another file by now, which may be better."""
        file.check_same()
        path, received = file.path, file.received
        state, told = self._told.get(path, ((), received))
        if state != file.state:
            received.moved_to = self._relative(self._home.rejected / self._rejected_name(path))
            told = FileReceived(
                file=received.file, sha256=received.sha256, moved_to=received.moved_to, reason=reason[:REASON]
            )
            await self._live.append(Append([Event(subject=inbox.SUBJECT, file_received=told)], file.actor))
            self._told[path] = file.state, told
        target = self._home.root / told.moved_to
        received.moved_to, received.reason = told.moved_to, reason
        text = inbox.report(received, file.actor, now_us(), lines, advice)
        await asyncio.to_thread(_write_report, target, text)
        file.check_same()
        await asyncio.to_thread(_move_rejected, path, target)
        del self._told[path]
        _log.info("%s (%s) became no job and is %s: %s", told.file, file.actor, told.moved_to, told.reason)

    async def _put_away(self) -> None:
        """Moves the files of completed jobs to data/completed, then tells where they are."""
        for job in inbox.to_put_away(await self._live.at(At()), self._relative(self._home.active)):
            source = self._home.root / job.file
            target = self._home.completed / source.name
            told = FileReceived(file=job.file, sha256=job.dataset, moved_to=self._relative(target), job=job.id)
            try:
                if source.exists():
                    await asyncio.to_thread(_move, source, target)
                elif not target.exists():
                    told.moved_to, told.reason = "", "It was not there any more; its bytes are in the artifacts."
            except OSError:
                _log.exception("%s stays there, and is tried again later; job %s is completed", source, job.id)
            else:
                await self._live.append(Append([Event(subject=inbox.SUBJECT, file_received=told)], SERVER))

    def _request(self, path: Path, config: InboxConfig) -> SubmitJobRequest:
        """The job that a file, which is stored with this, is to be: what its sidecar says, and for the rest what its folder means. Raises Unfit."""
        told, sidecar_owner = _told_by_sidecar(path)
        stored = dropped_file.store(path, self._artifacts, config.max_bytes)
        if sidecar_owner not in ("", stored.owner):
            raise Unfit(f"its sidecar belongs to {sidecar_owner}, and the file itself to {stored.owner}")
        if told.held_out:
            told.config.held_out = self._held_out(told.held_out, stored.owner, config.max_bytes)
        folder = {"priority": config.priority, "normal": "normal"}[path.parent.name]
        return SubmitJobRequest(
            name=told.name or dropped_file.free_name(path.name, lambda name: True),
            dataset=stored.sha256,
            priority=told.priority or PRIORITIES[folder],
            config=told.config,
            skip_bad_lines=told.skip_bad_lines or config.skip_bad_lines,
            after=told.after,
            needs=told.needs,
            preempt=told.preempt,
        )

    def _held_out(self, told: str, owner: str, max_bytes: int) -> str:
        """SHA-256 of the held-out file that a sidecar names, by its path or from the data folder on. Raises Unfit.

        It must be the sidecar's owner's: who may put files into the inbox must not have the server read others'.
        """
        try:
            stored = dropped_file.store(self._home.root / told, self._artifacts, max_bytes)
        except (FileNotFoundError, Unfit) as error:
            raise Unfit(f"its held-out file {told} can't be read: {error}") from error
        if stored.owner != owner:
            raise Unfit(f"its held-out file {told} belongs to {stored.owner}, and the file itself to {owner}")
        return stored.sha256

    def _active_name(self, path: Path) -> str:
        name = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{path.name}"
        return dropped_file.free_name(name, lambda free: _is_free(free, self._home.active, self._home.completed))

    def _rejected_name(self, path: Path) -> str:
        return dropped_file.free_name(path.name, lambda free: _is_free(free, self._home.rejected))

    def _relative(self, path: Path) -> str:
        return os.fsencode(path.relative_to(self._home.root)).decode(errors="replace")


def _is_dataset(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(UNFINISHED) and not name.endswith(SIDECARS)


def _sidecars(path: Path) -> list[Path]:
    return [path.with_suffix(suffix) for suffix in SIDECARS]


def _told_by_sidecar(path: Path) -> tuple[JobConfig, str]:
    """What it says, and whose it is; empty if there is none. Raises Unfit."""
    sidecar = next((one for one in _sidecars(path) if os.path.lexists(one)), None)
    if sidecar is None:
        return JobConfig(), ""
    try:
        text = dropped_file.read_text(sidecar, SIDECAR_BYTES)
        return job_config.read(text.content), text.owner
    except (Unfit, BadConfig) as error:
        raise Unfit(f"its sidecar {sidecar.name} can't be used: {error}") from error


def _report_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.report.txt")


def _is_free(name: str, *folders: Path) -> bool:
    places = [folder / name for folder in folders]
    return not any(os.path.lexists(one) for place in places for one in (place, _report_of(place), *_sidecars(place)))


def _move(path: Path, target: Path) -> None:
    """With its sidecar, which goes first: the file alone says whether it was moved."""
    _move_sidecars(path, target)
    dropped_file.move(path, target)


def _move_rejected(path: Path, target: Path) -> None:
    """With its sidecar, which goes last: left behind without it, the file would be queued with the defaults."""
    dropped_file.move(path, target)
    _move_sidecars(path, target)


def _move_sidecars(path: Path, target: Path) -> None:
    for sidecar in _sidecars(path):
        if os.path.lexists(sidecar):
            dropped_file.move(sidecar, target.with_suffix(sidecar.suffix))


def _write_report(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    report = _report_of(target)
    beside = report.with_name(f".{report.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(report)
