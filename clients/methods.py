"""The commands of both clients, and their log, each method written once: as the call it makes. Knows the wire, not how an answer is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

import grpc

from guessbook.clients.calls import DEADLINE_S
from guessbook.clients.connection import Address, Token
from guessbook.clients.files import Content, name_of
from guessbook.clients.producer import SPOOL_BYTES, Producer, WhenFull
from guessbook.proto import control_pb2, events_pb2, log_pb2
from guessbook.proto.artifacts_pb2_grpc import ArtifactsStub
from guessbook.proto.control_pb2_grpc import ControlStub
from guessbook.proto.history_pb2_grpc import HistoryStub
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.store.home import Home

if TYPE_CHECKING:
    from guessbook.clients.async_client import AsyncGuessbook
    from guessbook.clients.client import Guessbook

PROOF_DEADLINE_S = 600.0  # the first one walks the whole log
SUBMIT_DEADLINE_S = 600.0  # reading a dataset of a million lines takes its time

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Call(Generic[R]):
    """A request with one answer. `dataset` and `held_out` are to be stored first; the request then names them by their hashes."""

    method: grpc.UnaryUnaryMultiCallable[Any, R]
    request: Any
    deadline_s: float = DEADLINE_S
    dataset: Content | None = None
    held_out: Path | None = None


class _Remote(Protocol[P, R_co]):
    """A method as the type checker sees it: one client gives the answer, the other something to await."""

    @overload
    def __get__(self, client: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, client: Guessbook, owner: type | None = None) -> Callable[P, R_co]: ...
    @overload
    def __get__(self, client: AsyncGuessbook, owner: type | None = None) -> Callable[P, Awaitable[R_co]]: ...


def remote(call: Callable[Concatenate[Any, P], Call[R]]) -> _Remote[P, R]:
    """Makes a method that asks the server out of one that says what to ask."""

    @wraps(call)
    def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client._ask(call(client, *args, **kwargs))

    return cast("_Remote[P, R]", method)


class Methods:
    """A connection. `Guessbook` answers at once, `AsyncGuessbook` when awaited."""

    def __init__(self, address: Address | None, token: Token | None) -> None:
        self._resolve = Home.default().address if address is None else address
        self._token = token
        self.address = self._found_address()

    def _found_address(self) -> str:
        return self._resolve() if callable(self._resolve) else self._resolve

    def _use(self, channel: Any) -> None:
        self.channel = channel
        self._log = LogStub(channel)
        self._control = ControlStub(channel)
        self._history = HistoryStub(channel)
        self._artifacts = ArtifactsStub(channel)

    # ---- commands ----

    @remote
    def submit(
        self,
        dataset: Content,
        *,
        name: str = "",
        priority: events_pb2.Priority.ValueType = events_pb2.PRIORITY_NORMAL,
        config: events_pb2.TrainingConfig | None = None,
        skip_bad_lines: bool = False,
        dry_run: bool = False,
        held_out: Path | None = None,
        after: Sequence[str] = (),
        needs: events_pb2.Needs | None = None,
        preempt: bool = False,
    ) -> Call[control_pb2.SubmitJobResponse]:
        """Uploads a dataset, a file or its bytes, and queues a job for it. With bad lines the answer is `rejected`, with a report.

        With `dry_run` it only says what was detected, with the first examples. Bytes need a `name`.

        `held_out` is a file of examples that snapshots look at and that are never trained on. `after`: jobs that must be completed before. `needs`: what the
        trainer that takes it must have. `preempt`: a running job that is less urgent makes room, and goes on by itself afterwards.
        """
        request = control_pb2.SubmitJobRequest(
            name=name or name_of(dataset),
            priority=priority,
            config=config,
            skip_bad_lines=skip_bad_lines,
            dry_run=dry_run,
            after=after,
            needs=needs,
            preempt=preempt,
        )
        return Call(self._control.SubmitJob, request, SUBMIT_DEADLINE_S, dataset=dataset, held_out=held_out)

    @remote
    def pause(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """Asks the trainer to checkpoint at the next step and let go of the GPU. Empty `job`: the one that runs."""
        return Call(self._control.PauseJob, control_pb2.JobCommand(job=job))

    @remote
    def resume(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """Puts a paused or stopped job back into the queue, in front. Empty `job`: the one that is paused."""
        return Call(self._control.ResumeJob, control_pb2.JobCommand(job=job))

    @remote
    def stop(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """Asks the trainer to checkpoint at the next step, put the job back and go on with the next one."""
        return Call(self._control.StopJob, control_pb2.JobCommand(job=job))

    @remote
    def snapshot(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """Asks for a snapshot of the tracked examples at the next step."""
        return Call(self._control.TakeSnapshot, control_pb2.JobCommand(job=job))

    @remote
    def skip(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """The batch that is trained now, or the next to begin, contributes no update."""
        return Call(self._control.SkipBatch, control_pb2.JobCommand(job=job))

    @remote
    def cancel(self, job: str = "") -> Call[control_pb2.CommandResponse]:
        """A job that waits is cancelled at once, one that runs at the next step. What it has trained is kept."""
        return Call(self._control.CancelJob, control_pb2.JobCommand(job=job))

    @remote
    def set_priority(
        self, job: str, priority: events_pb2.Priority.ValueType, *, preempt: bool = False
    ) -> Call[control_pb2.CommandResponse]:
        """Empty `job`: the one that is next. `preempt`: a running job that is less urgent makes room for it."""
        request = control_pb2.SetPriorityRequest(job=job, priority=priority, preempt=preempt)
        return Call(self._control.SetPriority, request)

    @remote
    def move(self, job: str, *, before: str = "", to_front: bool = False) -> Call[control_pb2.CommandResponse]:
        """Directly before another waiting job, whose priority it takes; or in front of its equals; with neither behind them."""
        return Call(self._control.MoveJob, control_pb2.MoveJobRequest(job=job, before=before, to_front=to_front))

    @remote
    def set_queue(
        self, state: events_pb2.QueueState.ValueType, *, reason: str = ""
    ) -> Call[control_pb2.SetQueueResponse]:
        """On; paused: no job is begun, what runs goes on; off: what runs stops too, keeps its place and goes on when it is on again."""
        return Call(self._control.SetQueue, control_pb2.SetQueueRequest(state=state, reason=reason))

    @remote
    def change_schedule(
        self,
        job: str = "",
        *,
        snapshot_steps: Sequence[int] = (),
        default_steps: bool = False,
        snapshot_budget_percent: float | None = None,
        snapshot_budget_seconds: float | None = None,
        snapshots: bool | None = None,
    ) -> Call[control_pb2.CommandResponse]:
        """When a job's snapshots are taken and how long they may take, from the next step on. What isn't given stays as it is."""
        request = control_pb2.ChangeScheduleRequest(
            job=job,
            snapshot_steps=snapshot_steps,
            default_steps=default_steps,
            snapshot_budget_percent=snapshot_budget_percent,
            snapshot_budget_seconds=snapshot_budget_seconds,
            snapshots=snapshots,
        )
        return Call(self._control.ChangeSchedule, request)

    @remote
    def lease(self, trainer: str, epoch: int) -> Call[control_pb2.LeaseJobResponse]:
        """For a trainer: its next job, or an answer without one."""
        return Call(self._control.LeaseJob, control_pb2.LeaseJobRequest(trainer=trainer, epoch=epoch))

    @remote
    def start_job(
        self,
        dataset: str,
        *,
        trainer: str,
        epoch: int,
        name: str,
        config: events_pb2.TrainingConfig,
        skip_bad_lines: bool = False,
    ) -> Call[control_pb2.LeaseJobResponse]:
        """For a program that trains already, on a dataset that it has uploaded: makes that a job, which is its own from the start.

        `trainer` and `epoch` are those of its producer. Asking again while it has the job gives the same one.
        """
        job = control_pb2.SubmitJobRequest(name=name, dataset=dataset, config=config, skip_bad_lines=skip_bad_lines)
        request = control_pb2.StartJobRequest(trainer=trainer, epoch=epoch, job=job)
        return Call(self._control.StartJob, request, SUBMIT_DEADLINE_S)

    # ---- tokens, for admins ----

    @remote
    def create_token(self, name: str, role: events_pb2.Role.ValueType) -> Call[control_pb2.CreateTokenResponse]:
        """A new token, in the answer's `secret`: it is said this once. The log calls whoever uses it `name`."""
        return Call(self._control.CreateToken, control_pb2.CreateTokenRequest(name=name, role=role))

    @remote
    def tokens(self) -> Call[control_pb2.ListTokensResponse]:
        """All tokens that were made, without their secrets."""
        return Call(self._control.ListTokens, control_pb2.ListTokensRequest())

    @remote
    def revoke_token(self, name: str) -> Call[control_pb2.RevokeTokenResponse]:
        """The token lets nobody in any more, and streams that are open with it end."""
        return Call(self._control.RevokeToken, control_pb2.RevokeTokenRequest(name=name))

    @remote
    def archive(
        self, to_position: int = 0, *, reason: str, dry_run: bool = False
    ) -> Call[control_pb2.ArchiveHistoryResponse]:
        """Moves the log's beginning, up to the newest signed checkpoint at or before a position (0: the newest), into a file of its own. For admins."""
        request = control_pb2.ArchiveHistoryRequest(to_position=to_position, reason=reason, dry_run=dry_run)
        return Call(self._control.ArchiveHistory, request, SUBMIT_DEADLINE_S)

    # ---- the log ----

    @remote
    def head(self) -> Call[log_pb2.HeadResponse]:
        """Where the log ends, with its hash there."""
        return Call(self._log.Head, log_pb2.HeadRequest())

    @remote
    def prove(self, position: int) -> Call[log_pb2.ProveResponse]:
        """A Merkle proof that the event at a position is in the log that a checkpoint signs."""
        return Call(self._log.Prove, log_pb2.ProveRequest(position=position), PROOF_DEADLINE_S)

    @remote
    def prove_consistency(self, old_checkpoint: str) -> Call[log_pb2.ProveResponse]:
        """A Merkle proof that the log has only grown since an older signed checkpoint, whose text this is."""
        return Call(self._log.Prove, log_pb2.ProveRequest(old_checkpoint=old_checkpoint), PROOF_DEADLINE_S)

    def producer(
        self,
        name: str,
        spool: Path | None = None,
        *,
        trainer: events_pb2.TrainerConnected | None = None,
        spool_bytes: int = SPOOL_BYTES,
        when_full: WhenFull = "raise",
    ) -> Producer:
        """A started `Producer`: streams events into the log, each once. Takes a token of the role trainer.

        Its `record()` costs microseconds and may be called from any thread and from a coroutine. `flush()` and `close()` wait: a coroutine calls them with
        `asyncio.to_thread`. `spool` is its file; without one it lies in the data folder.
        """
        file = spool or Home.default().spool / f"{name}.sqlite"
        made = Producer(name, file, self.address, trainer, self._token, spool_bytes=spool_bytes, when_full=when_full)
        made.start()
        return made
