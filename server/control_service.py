"""The Control service: hands each command to its decision and tells what came of it."""

import asyncio
from collections.abc import Callable

from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.proto import control_pb2
from guessbook.proto.control_pb2_grpc import ControlServicer
from guessbook.server.archiving import Archiving
from guessbook.server.context import Context, actor_of
from guessbook.server.decide import datasets, external, jobs, leases, queue
from guessbook.server.decide import tokens as token_rules
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Unauthenticated
from guessbook.server.live_book import LiveBook, now_us
from guessbook.server.streams import Streams
from guessbook.server.submission import Submission
from guessbook.server.tokens import ROLES, Token, Tokens, role_name
from guessbook.store.log import Append

Decide = Callable[[Book], Decision]


class ControlService(ControlServicer):
    def __init__(self, live: LiveBook, submission: Submission, tokens: Tokens, streams: Streams) -> None:
        self._live = live
        self._submission = submission
        self._tokens = tokens
        self._streams = streams
        self._archiving = Archiving(live)
        self._token_commands = asyncio.Lock()  # they are few, and each must see what the one before did

    async def SubmitJob(self, request: control_pb2.SubmitJobRequest, context: Context) -> control_pb2.SubmitJobResponse:
        return await self._submission.submit(actor_of(context), request)

    async def PauseJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.pause(book, request.job))

    async def ResumeJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.resume(book, request.job))

    async def StopJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.stop(book, request.job))

    async def TakeSnapshot(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.snapshot(book, request.job))

    async def SkipBatch(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.skip(book, request.job))

    async def CancelJob(self, request: control_pb2.JobCommand, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.cancel(book, request.job))

    async def SetPriority(
        self, request: control_pb2.SetPriorityRequest, context: Context
    ) -> control_pb2.CommandResponse:
        return await self._command(
            context, lambda book: queue.set_priority(book, request.job, request.priority, request.preempt)
        )

    async def MoveJob(self, request: control_pb2.MoveJobRequest, context: Context) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: queue.move(book, request))

    async def SetQueue(self, request: control_pb2.SetQueueRequest, context: Context) -> control_pb2.SetQueueResponse:
        answer = await self._command(context, lambda book: queue.switch(book, request.state, request.reason))
        return control_pb2.SetQueueResponse(message=answer.message, position=answer.position, state=request.state)

    async def ChangeSchedule(
        self, request: control_pb2.ChangeScheduleRequest, context: Context
    ) -> control_pb2.CommandResponse:
        return await self._command(context, lambda book: jobs.change_schedule(book, request))

    async def StartJob(self, request: control_pb2.StartJobRequest, context: Context) -> control_pb2.LeaseJobResponse:
        asked, actor = request.job, actor_of(context)
        external.config(asked.config)  # said before anything is recorded
        file = await self._submission.read(asked.name, asked.dataset)
        if not file.dataset.examples or (file.dataset.errors and not asked.skip_bad_lines):
            raise Invalid(datasets.report(asked.name, file.dataset, skipped=False))
        await self._submission.register(actor, file, await self._submission.held_out(asked))
        wanted = jobs.asked(asked, asked.config)
        decision, _ = await self._live.decide(
            actor, lambda book: external.start(book, now_us(), request.trainer, request.epoch, wanted)
        )
        return self._leased(decision)

    async def LeaseJob(self, request: control_pb2.LeaseJobRequest, context: Context) -> control_pb2.LeaseJobResponse:
        decision, _ = await self._live.decide(
            actor_of(context), lambda book: leases.lease(book, request.trainer, request.epoch)
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
