"""The Control service: hands each command to its decision and tells what came of it."""

import asyncio
import hashlib
from collections.abc import Callable

from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.proto import control_pb2
from guessbook.proto.control_pb2_grpc import ControlServicer
from guessbook.proto.history_pb2 import Example as ExampleView
from guessbook.proto.history_pb2 import Job
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import config as config_rules
from guessbook.server.decide import datasets, jobs
from guessbook.server.decide.jobs import Decision
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Dataset, read_dataset

PREVIEW = 3  # examples shown after a submit

Decide = Callable[[Book], Decision]


class ControlService(ControlServicer):
    def __init__(self, live: LiveBook, artifacts: Artifacts, base_model: str) -> None:
        self._live = live
        self._artifacts = artifacts
        self._base_model = base_model

    async def SubmitJob(self, request: control_pb2.SubmitJobRequest, context: Context) -> control_pb2.SubmitJobResponse:
        dataset = await asyncio.to_thread(read_dataset, self._artifacts.path(request.dataset))
        rejected = not dataset.examples or (bool(dataset.errors) and not request.skip_bad_lines)
        answer = _found(request, dataset, rejected)
        if request.dry_run:
            return answer
        actor = actor_of(context)
        if rejected:
            event = datasets.reject(request.name, request.dataset, dataset)
            await self._live.decide(actor, lambda book: Decision("", "", [event]))
            return answer
        config = config_rules.complete(request.config, self._base_model)
        await self._register(actor, request, dataset)
        decision, _ = await self._live.decide(
            actor, lambda book: jobs.queue(book, now_us(), request.name, request.dataset, request.priority, config)
        )
        answer.report += f"\n{decision.message}"
        answer.job.MergeFrom(views.job(self._live.book, decision.job) or Job())
        return answer

    async def _register(self, actor: str, request: control_pb2.SubmitJobRequest, dataset: Dataset) -> None:
        md5, size = await asyncio.to_thread(self._measure, request.dataset)

        def missing(book: Book) -> Decision:
            return Decision("", "", datasets.register(book, request.name, request.dataset, md5, size, dataset))

        while (await self._live.decide(actor, missing))[1]:
            pass

    def _measure(self, sha256: str) -> tuple[str, int]:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for block in self._artifacts.read(sha256):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size

    async def PauseJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.pause(book, request.job))

    async def ResumeJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.resume(book, request.job))

    async def StopJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.stop(book, request.job))

    async def TakeSnapshot(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.snapshot(book, request.job))

    async def LeaseJob(self, request: control_pb2.LeaseJobRequest, context: Context) -> control_pb2.LeaseJobResponse:
        decision, _ = await self._live.decide(
            actor_of(context), lambda book: jobs.lease(book, request.trainer, request.epoch)
        )
        job = views.job(self._live.book, decision.job)
        if job is None:
            return control_pb2.LeaseJobResponse()
        return control_pb2.LeaseJobResponse(
            job=job, run=job.run, resume_step=job.checkpoint_step, dataset_name=job.name
        )

    async def _command(self, context: Context, decide: Decide) -> control_pb2.CommandResponse:
        decision, receipt = await self._live.decide(actor_of(context), decide)
        return control_pb2.CommandResponse(
            message=decision.message,
            position=receipt.first_position if receipt else 0,
            job=views.job(self._live.book, decision.job),
        )


def _found(request: control_pb2.SubmitJobRequest, dataset: Dataset, rejected: bool) -> control_pb2.SubmitJobResponse:
    return control_pb2.SubmitJobResponse(
        form=dataset.form,
        lines=dataset.lines,
        examples=len(dataset.examples),
        errors=datasets.line_errors(dataset.errors),
        error_count=len(dataset.errors),
        rejected=rejected,
        report=datasets.report(request.name, dataset, skipped=not rejected),
        preview=[
            ExampleView(
                index=example.index,
                id=example.id,
                prompt=example.prompt,
                expected=example.expected,
                category=example.category,
            )
            for example in dataset.examples[:PREVIEW]
        ],
    )
