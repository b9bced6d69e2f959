"""The Control service: hands each command to its decision and tells what came of it."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.proto import control_pb2
from guessbook.proto.control_pb2_grpc import ControlServicer
from guessbook.proto.history_pb2 import Example as ExampleView
from guessbook.proto.history_pb2 import Job
from guessbook.server.archiving import Archiving
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import config as config_rules
from guessbook.server.decide import datasets, external, jobs
from guessbook.server.decide import tokens as token_rules
from guessbook.server.decide import versions as version_rules
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Unauthenticated
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.streams import Streams
from guessbook.server.tokens import ROLES, Token, Tokens, role_name
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Dataset, read_dataset
from guessbook.store.log import Append

PREVIEW = 3  # examples shown after a submit
PREVIEW_TEXT = 2000  # characters of each

Decide = Callable[[Book], Decision]


class ControlService(ControlServicer):
    """`versions`: the folder that versions are laid out in."""

    def __init__(
        self,
        live: LiveBook,
        artifacts: Artifacts,
        versions: Path,
        base_model: str,
        tokens: Tokens,
        streams: Streams,
    ) -> None:
        self._live = live
        self._artifacts = artifacts
        self._versions = versions
        self._base_model = base_model
        self._tokens = tokens
        self._streams = streams
        self._archiving = Archiving(live)
        self._token_commands = asyncio.Lock()  # they are few, and each must see what the one before did

    async def SubmitJob(self, request: control_pb2.SubmitJobRequest, context: Context) -> control_pb2.SubmitJobResponse:
        md5, size = await asyncio.to_thread(self._measure, request.dataset)  # reads and verifies every byte
        dataset = await asyncio.to_thread(read_dataset, self._artifacts.path(request.dataset))
        rejected = not dataset.examples or (bool(dataset.errors) and not request.skip_bad_lines)
        answer = _found(request, dataset, rejected)
        held_out = None
        if not rejected:
            datasets.check_tracked(request.config.tracked_ids, request.name, dataset)
            held_out = await self._held_out(request)
        if held_out:
            answer.report += "\n" + datasets.held_out(dataset, held_out[1], skip_bad_lines=request.skip_bad_lines)
        if request.dry_run:
            return answer
        actor = actor_of(context)
        if rejected:
            event = datasets.reject(request.name, request.dataset, dataset)
            await self._live.decide(actor, lambda book: Decision("", "", [event]))
            return answer
        asked = version_rules.start_from(self._live.book, request.config, self._versions)
        config = config_rules.complete(asked, self._default_model())
        await self._register(actor, request, dataset, md5, size)
        if held_out:
            await self._register(actor, *held_out)
        decision, _ = await self._live.decide(
            actor, lambda book: jobs.queue(book, now_us(), request.name, request.dataset, request.priority, config)
        )
        answer.report += f"\n{decision.message}"
        answer.job.MergeFrom(views.job(self._live.book, decision.job) or Job())
        return answer

    async def _held_out(
        self, request: control_pb2.SubmitJobRequest
    ) -> tuple[control_pb2.SubmitJobRequest, Dataset, str, int] | None:
        """The held-out file, as `_register` takes it; None if there is none."""
        held_out = control_pb2.SubmitJobRequest(name=f"{request.name} (held out)", dataset=request.config.held_out)
        if not held_out.dataset:
            return None
        md5, size = await asyncio.to_thread(self._measure, held_out.dataset)
        return held_out, await asyncio.to_thread(read_dataset, self._artifacts.path(held_out.dataset)), md5, size

    def _default_model(self) -> str:
        """What jobs train that name no base model: the registered one in use, else what the server was started with."""
        models = self._live.book.base_models
        return models.by_name[models.used].source if models.used else self._base_model

    async def _register(
        self, actor: str, request: control_pb2.SubmitJobRequest, dataset: Dataset, md5: str, size: int
    ) -> None:
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

    async def ChangeSchedule(
        self, request: control_pb2.ChangeScheduleRequest, context: Context
    ) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.change_schedule(book, request))

    async def StartJob(self, request: control_pb2.StartJobRequest, context: Context) -> control_pb2.LeaseJobResponse:
        asked, actor = request.job, actor_of(context)
        external.config(asked.config)  # said before anything is recorded
        md5, size = await asyncio.to_thread(self._measure, asked.dataset)
        dataset = await asyncio.to_thread(read_dataset, self._artifacts.path(asked.dataset))
        if not dataset.examples or (dataset.errors and not asked.skip_bad_lines):
            raise Invalid(datasets.report(asked.name, dataset, skipped=False))
        held_out = await self._held_out(asked)
        await self._register(actor, asked, dataset, md5, size)
        if held_out:
            await self._register(actor, *held_out)
        decision, _ = await self._live.decide(
            actor,
            lambda book: external.start(
                book, now_us(), request.trainer, request.epoch, asked.name, asked.dataset, asked.priority, asked.config
            ),
        )
        return self._leased(decision)

    async def LeaseJob(self, request: control_pb2.LeaseJobRequest, context: Context) -> control_pb2.LeaseJobResponse:
        decision, _ = await self._live.decide(
            actor_of(context), lambda book: jobs.lease(book, request.trainer, request.epoch)
        )
        return self._leased(decision)

    def _leased(self, decision: Decision) -> control_pb2.LeaseJobResponse:
        job = views.job(self._live.book, decision.job)
        if job is None:
            return control_pb2.LeaseJobResponse()
        return control_pb2.LeaseJobResponse(
            job=job,
            run=job.run,
            resume_step=job.checkpoint_step,
            dataset_name=job.name,
            from_version=self._live.book.versions.get(job.config.from_version),
        )

    async def CreateToken(
        self, request: control_pb2.CreateTokenRequest, context: Context
    ) -> control_pb2.CreateTokenResponse:
        async with self._token_commands:
            event = token_rules.create(self._tokens, request.name, request.role)
            # First the log: a token that nobody knows of must not exist.
            await self._live.append(Append([event], actor_of(context)))
            secret = self._tokens.create(request.name, role_name(request.role), now_us())
            return control_pb2.CreateTokenResponse(token=_told(self._tokens[request.name]), secret=secret)

    async def ListTokens(
        self, request: control_pb2.ListTokensRequest, context: Context
    ) -> control_pb2.ListTokensResponse:
        return control_pb2.ListTokensResponse(tokens=[_told(token) for token in self._tokens])

    async def RevokeToken(
        self, request: control_pb2.RevokeTokenRequest, context: Context
    ) -> control_pb2.RevokeTokenResponse:
        async with self._token_commands:
            event = token_rules.revoke(self._tokens, request.name)
            # First the door: it stays shut even if the log can't take the event.
            self._tokens.revoke(request.name, now_us())
            self._streams.end_of(
                request.name, lambda: Unauthenticated("the token was revoked", "Ask an admin for another.")
            )
            await self._live.append(Append([event], actor_of(context)))
            return control_pb2.RevokeTokenResponse(token=_told(self._tokens[request.name]))

    async def ArchiveHistory(
        self, request: control_pb2.ArchiveHistoryRequest, context: Context
    ) -> control_pb2.ArchiveHistoryResponse:
        return await self._archiving.archive(request, actor_of(context))

    async def _command(self, context: Context, decide: Decide) -> control_pb2.CommandResponse:
        decision, receipt = await self._live.decide(actor_of(context), decide)
        return control_pb2.CommandResponse(
            message=decision.message,
            position=receipt.first_position if receipt else 0,
            job=views.job(self._live.book, decision.job),
        )


def _told(token: Token) -> control_pb2.Token:
    return control_pb2.Token(
        name=token.name,
        role=ROLES[token.role],
        created_at_us=token.created_us,
        revoked_at_us=token.revoked_us,
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
                prompt=datasets.cut(example.prompt, PREVIEW_TEXT),
                expected=datasets.cut(example.expected, PREVIEW_TEXT),
                category=example.category,
            )
            for example in dataset.examples[:PREVIEW]
        ],
    )
