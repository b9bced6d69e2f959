"""The Python client: every command and question as a method. Knows the wire, not the CLI or the dashboard."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from guessbook.clients.connection import CHANNEL_OPTIONS, translated
from guessbook.clients.errors import Invalid
from guessbook.proto import artifacts_pb2, control_pb2, events_pb2, history_pb2, log_pb2
from guessbook.proto.artifacts_pb2_grpc import ArtifactsStub
from guessbook.proto.control_pb2_grpc import ControlStub
from guessbook.proto.history_pb2_grpc import HistoryStub
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store.home import Home

UPLOAD_CHUNK = 1024 * 1024
DEADLINE_S = 30.0
SUBMIT_DEADLINE_S = 600.0  # reading a dataset of a million lines takes its time


class Guessbook:
    """A connection to a Guessbook server.

        with Guessbook() as book:
            job = book.submit(Path("facts.jsonl")).job
            for example in book.examples("latest").examples:
                print(example.prompt, example.latest.guess)

    `at` is a point in the past for every question: `At(position=…)`, `At(time_us=…)` or `At(run_step=RunStep(…))`.
    Without it the answer is as of now. Every method raises a `GuessbookError` that says what to do next.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address or Home.default().address()
        self.channel = grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        self._log = LogStub(self.channel)
        self._control = ControlStub(self.channel)
        self._history = HistoryStub(self.channel)
        self._artifacts = ArtifactsStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- commands ----

    def submit(
        self,
        path: Path,
        *,
        name: str = "",
        priority: "events_pb2.Priority.ValueType" = events_pb2.PRIORITY_NORMAL,
        config: events_pb2.TrainingConfig | None = None,
        skip_bad_lines: bool = False,
        dry_run: bool = False,
    ) -> control_pb2.SubmitJobResponse:
        """Uploads a dataset file and queues a job for it. With bad lines the answer is `rejected`, with a report."""
        dataset = self.upload(path)
        request = control_pb2.SubmitJobRequest(
            name=name or path.name,
            dataset=dataset,
            priority=priority,
            config=config,
            skip_bad_lines=skip_bad_lines,
            dry_run=dry_run,
        )
        with translated(self.address):
            return self._control.SubmitJob(request, timeout=SUBMIT_DEADLINE_S)

    def pause(self, job: str = "") -> control_pb2.CommandResponse:
        """Asks the trainer to checkpoint at the next step and let go of the GPU. Empty `job`: the one that runs."""
        with translated(self.address):
            return self._control.PauseJob(control_pb2.JobCommand(job=job), timeout=DEADLINE_S)

    def resume(self, job: str = "") -> control_pb2.CommandResponse:
        """Puts a paused or stopped job back into the queue, in front. Empty `job`: the one that is paused."""
        with translated(self.address):
            return self._control.ResumeJob(control_pb2.JobCommand(job=job), timeout=DEADLINE_S)

    def stop(self, job: str = "") -> control_pb2.CommandResponse:
        """Asks the trainer to checkpoint at the next step, put the job back and go on with the next one."""
        with translated(self.address):
            return self._control.StopJob(control_pb2.JobCommand(job=job), timeout=DEADLINE_S)

    def snapshot(self, job: str = "") -> control_pb2.CommandResponse:
        """Asks for a snapshot of the tracked examples at the next step."""
        with translated(self.address):
            return self._control.TakeSnapshot(control_pb2.JobCommand(job=job), timeout=DEADLINE_S)

    def lease(self, trainer: str, epoch: int) -> control_pb2.LeaseJobResponse:
        """For a trainer: its next job, or an answer without one."""
        with translated(self.address):
            return self._control.LeaseJob(control_pb2.LeaseJobRequest(trainer=trainer, epoch=epoch), timeout=DEADLINE_S)

    # ---- questions ----

    def status(self, at: history_pb2.At | None = None) -> history_pb2.Status:
        with translated(self.address):
            return self._history.GetStatus(history_pb2.GetStatusRequest(at=at), timeout=DEADLINE_S)

    def jobs(
        self, at: history_pb2.At | None = None, states: "Sequence[history_pb2.JobState.ValueType]" = ()
    ) -> history_pb2.ListJobsResponse:
        """Jobs: the active one, then the queue in the order it will run, then the finished, newest first."""
        with translated(self.address):
            return self._history.ListJobs(history_pb2.ListJobsRequest(at=at, states=states), timeout=DEADLINE_S)

    def runs(self, at: history_pb2.At | None = None) -> history_pb2.ListRunsResponse:
        with translated(self.address):
            return self._history.ListRuns(history_pb2.ListRunsRequest(at=at), timeout=DEADLINE_S)

    def run(self, run: str = "latest", at: history_pb2.At | None = None) -> history_pb2.Run:
        with translated(self.address):
            return self._history.GetRun(history_pb2.GetRunRequest(run=run, at=at), timeout=DEADLINE_S)

    def steps(
        self, run: str = "latest", at: history_pb2.At | None = None, *, after_step: int = 0, max_points: int = 0
    ) -> history_pb2.Steps:
        """The step curves in columns; `max_points` thins them evenly."""
        request = history_pb2.ListStepsRequest(run=run, at=at, after_step=after_step, max_points=max_points)
        with translated(self.address):
            return self._history.ListSteps(request, timeout=DEADLINE_S)

    def examples(
        self,
        run: str = "latest",
        at: history_pb2.At | None = None,
        *,
        states: "Sequence[history_pb2.ExampleState.ValueType]" = (),
        search: str = "",
        category: str = "",
        sort: str = "index",
        offset: int = 0,
        limit: int = 0,
        only_tracked: bool = False,
    ) -> history_pb2.ListExamplesResponse:
        """A page of examples with their state and latest guess. `matching` of `total` tells what the filter leaves."""
        request = history_pb2.ListExamplesRequest(
            run=run,
            at=at,
            states=states,
            search=search,
            category=category,
            sort=sort,
            offset=offset,
            limit=limit,
            only_tracked=only_tracked,
        )
        with translated(self.address):
            return self._history.ListExamples(request, timeout=DEADLINE_S)

    def trajectory(self, run: str, example: str, at: history_pb2.At | None = None) -> history_pb2.Trajectory:
        """All that is known of one example: `example` is its id, or "#3" for the index."""
        request = history_pb2.GetTrajectoryRequest(run=run, example=example, at=at)
        with translated(self.address):
            return self._history.GetTrajectory(request, timeout=DEADLINE_S)

    def versions(self, at: history_pb2.At | None = None) -> history_pb2.ListVersionsResponse:
        with translated(self.address):
            return self._history.ListVersions(history_pb2.ListVersionsRequest(at=at), timeout=DEADLINE_S)

    # ---- the log ----

    def head(self) -> log_pb2.HeadResponse:
        with translated(self.address):
            return self._log.Head(log_pb2.HeadRequest(), timeout=DEADLINE_S)

    def read(self, from_position: int = 1, subjects: Sequence[str] = (), limit: int = 0) -> Iterator[events_pb2.Event]:
        """The events from a position to the head as it is now. A subject that ends with "/" takes all that begin so."""
        request = log_pb2.ReadRequest(from_position=from_position, subjects=subjects, limit=limit)
        with translated(self.address):
            for answer in self._log.Read(request):
                yield from answer.events

    def subscribe(self, from_position: int = 1, subjects: Sequence[str] = ()) -> Iterator[log_pb2.ReadResponse]:
        """Endless: answers with events, and heartbeats without. Raises `Unreachable` when the server goes."""
        request = log_pb2.ReadRequest(from_position=from_position, subjects=subjects)
        with translated(self.address):
            yield from self._log.Subscribe(request)

    # ---- files ----

    def upload(self, path: Path) -> str:
        """Stores a file by its content and returns its SHA-256 (hex). What is there already isn't sent again."""
        if not path.is_file():
            raise Invalid(f"there is no file {path}", "Check the path.")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(UPLOAD_CHUNK):
                digest.update(block)
        sha256 = digest.hexdigest()
        with translated(self.address):
            if not self._artifacts.Stat(artifacts_pb2.StatRequest(sha256=sha256), timeout=DEADLINE_S).exists:
                stored = self._artifacts.Upload(_chunks(path), timeout=SUBMIT_DEADLINE_S)
                if stored.sha256 != sha256:
                    raise Invalid(f"{path} changed while it was read", "Submit it again when nothing writes to it.")
        return sha256

    def download(self, sha256: str) -> Iterator[bytes]:
        """A stored file's bytes, in pieces, verified by the server as it reads them."""
        with translated(self.address):
            for piece in self._artifacts.Download(artifacts_pb2.StatRequest(sha256=sha256)):
                yield piece.data


def _chunks(path: Path) -> Iterator[artifacts_pb2.UploadRequest]:
    with path.open("rb") as file:
        while data := file.read(UPLOAD_CHUNK):
            yield artifacts_pb2.UploadRequest(data=data)
