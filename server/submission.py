"""From a dataset that the artifacts hold to a job in the queue: measured, read, registered, queued. The same whether a call or the inbox brought it.

Knows no gRPC; what may be queued is decided in decide/.
"""

import asyncio
import hashlib
from dataclasses import dataclass

from guessbook.projections import base_models, views
from guessbook.projections.book import Book
from guessbook.proto import control_pb2
from guessbook.proto.events_pb2 import FileReceived, TrainingConfig
from guessbook.proto.history_pb2 import Example as ExampleView
from guessbook.proto.history_pb2 import Job
from guessbook.server.decide import config as config_rules
from guessbook.server.decide import datasets, inbox, jobs
from guessbook.server.decide import versions as version_rules
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Rejection
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Dataset, read_dataset
from guessbook.store.log import Append

PREVIEW = 3  # examples shown after a submit
PREVIEW_TEXT = 2000  # characters of each


@dataclass(frozen=True)
class ReadFile:
    """A stored file as it was found."""

    name: str
    sha256: str
    md5: str
    bytes: int
    dataset: Dataset


class Submission:
    """`base_model`: of jobs that name none, where none is registered."""

    def __init__(self, live: LiveBook, artifacts: Artifacts, base_model: str) -> None:
        self._live = live
        self._artifacts = artifacts
        self._base_model = base_model

    async def submit(
        self, actor: str, request: control_pb2.SubmitJobRequest, received: FileReceived | None = None
    ) -> control_pb2.SubmitJobResponse:
        """Queues it, or says why its lines are no job. `received`: the file of the inbox that it was; told in the commit that queues it.

        Raises Rejection, inbox.Known, MissingArtifact, DamagedArtifact.
        """
        file = await self.read(request.name, request.dataset)
        rejected = not file.dataset.examples or (bool(file.dataset.errors) and not request.skip_bad_lines)
        answer = _found(file, rejected)
        held_out = None
        if not rejected:
            datasets.check_tracked(request.config.tracked_ids, request.name, file.dataset)
            held_out = await self.held_out(request)
        if held_out:
            told = datasets.held_out(file.dataset, held_out.dataset, skip_bad_lines=request.skip_bad_lines)
            answer.report += f"\n{told}"
        if request.dry_run:
            self._foretell(request, answer)
            return answer
        if rejected:
            event = datasets.reject(request.name, request.dataset, file.dataset)
            await self._live.append(Append([event], actor))
            return answer
        config = self._config(request)
        await self.register(actor, file, held_out)

        def queue(book: Book) -> Decision:
            queued = jobs.submit(book, now_us(), jobs.asked(request, config))
            return inbox.queued(book, queued, received) if received else queued

        decision, _ = await self._live.decide(actor, queue)
        if config.from_version and not request.config.from_version:
            answer.report += f"\nIt starts from {config.from_version}, the latest version; `--from base` would start from the base model."
        answer.report += f"\n{decision.message}"
        answer.job.MergeFrom(views.job(self._live.book, decision.job) or Job())
        answer.config.CopyFrom(config)
        return answer

    def _config(self, request: control_pb2.SubmitJobRequest) -> TrainingConfig:
        """Complete. Raises Rejection."""
        asked = version_rules.start_from(self._live.book, request.config, self._default_model())
        trainers = self._live.book.jobs.trainers.values()
        config = config_rules.complete(asked, self._default_model(), trainers)
        config_rules.check_needs(config, request.needs)
        return config

    def _foretell(self, request: control_pb2.SubmitJobRequest, answer: control_pb2.SubmitJobResponse) -> None:
        """How it would be trained, or why it would be refused. What the file holds is told in either case."""
        try:
            answer.config.CopyFrom(self._config(request))
        except Rejection as error:
            answer.report += f"\nIt would be refused: {error}. {error.hint}".rstrip()

    async def read(self, name: str, sha256: str) -> ReadFile:
        """Every byte of it, verified. Raises MissingArtifact, DamagedArtifact."""
        md5, size = await asyncio.to_thread(self._measure, sha256)
        dataset = await asyncio.to_thread(read_dataset, self._artifacts.path(sha256))
        return ReadFile(name, sha256, md5, size, dataset)

    async def held_out(self, request: control_pb2.SubmitJobRequest) -> ReadFile | None:
        """The file whose examples are watched and never trained on; None if there is none."""
        if not request.config.held_out:
            return None
        return await self.read(f"{request.name} (held out)", request.config.held_out)

    async def register(self, actor: str, *files: ReadFile | None) -> None:
        """Has the log know what is in each of them."""
        for file in filter(None, files):

            def missing(book: Book, file: ReadFile = file) -> Decision:
                events = datasets.register(book, file.name, file.sha256, file.md5, file.bytes, file.dataset)
                return Decision("", "", events)

            while (await self._live.decide(actor, missing))[1]:
                pass

    def _default_model(self) -> str:
        """What jobs train that name no base model: the registered one in use, else what the server was started with."""
        models = self._live.book.base_models
        return base_models.reference(models.by_name[models.used]) if models.used else self._base_model

    def _measure(self, sha256: str) -> tuple[str, int]:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for block in self._artifacts.read(sha256):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size


def _found(file: ReadFile, rejected: bool) -> control_pb2.SubmitJobResponse:
    dataset = file.dataset
    return control_pb2.SubmitJobResponse(
        form=dataset.form,
        lines=dataset.lines,
        examples=len(dataset.examples),
        errors=datasets.line_errors(dataset.errors),
        error_count=len(dataset.errors),
        rejected=rejected,
        report=datasets.report(file.name, dataset, skipped=not rejected),
        preview=[
            ExampleView(
                index=example.index,
                id=example.id,
                prompt=datasets.cut(example.prompt, PREVIEW_TEXT),
                expected=datasets.cut(example.expected, PREVIEW_TEXT),
                category=example.category,
            )
            for example in dataset.examples[:PREVIEW]
        ],
    )
