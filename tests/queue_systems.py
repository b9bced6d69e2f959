"""The queue as a random walk sees it, twice: as decisions and folds in memory, and as a real server over gRPC that is killed."""

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, cast

import grpc
from book_content import content
from made_events import numbered, write_questions
from server_process import ServerProcess

from guessbook.clients import connection
from guessbook.clients.errors import Rejected
from guessbook.projections import book as book_fold
from guessbook.projections import views
from guessbook.projections.book import Book
from guessbook.proto import events_pb2 as e
from guessbook.proto import log_pb2
from guessbook.proto.control_pb2 import MoveJobRequest
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Job
from guessbook.proto.log_pb2_grpc import LogStub
from guessbook.server.decide import jobs, leases, queue, trainers
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Displaced, Refused

SECOND_US = 1_000_000
ONE_JOB = {"pause", "resume", "stop", "cancel", "skip", "snapshot"}


class Denied(Exception):
    """The command makes sense, but not now."""


class Process:
    """One process of a trainer: what it works on, and what it has not been able to tell yet."""

    def __init__(self, name: str, epoch: int, devices: int, spool: list[Event] | None = None) -> None:
        self.name, self.epoch, self.devices = name, epoch, devices
        self.spool: list[Event] = spool or []
        self.here = self.known = False  # known: the server has given it its epoch
        self.job = ""
        self.asked: tuple[str, int] = ("", 0)  # what it knows it was asked: what, and at which position

    @property
    def identity(self) -> tuple[str, int]:
        return self.name, self.epoch

    def info(self) -> e.TrainerConnected:
        return e.TrainerConnected(epoch=self.epoch, devices=[e.Device(name="d")] * self.devices)


class System(Protocol):
    """Raises Denied for what makes sense, but not now."""

    def submit(self, wanted: e.JobQueued) -> str: ...
    def command(self, name: str, job: str) -> bool: ...  # whether anything was recorded
    def set_priority(self, job: str, priority: "e.Priority.ValueType", preempt: bool) -> bool: ...
    def move(self, job: str, before: str, to_front: bool) -> bool: ...
    def switch(self, state: "e.QueueState.ValueType") -> bool: ...
    def lease(self, process: Process) -> str: ...
    def connect(self, process: Process) -> None: ...
    def lose(self, process: Process) -> None: ...  # its stream ends, and it stays away for longer than the grace
    def tell(self, process: Process, event: Event) -> bool: ...  # False: its word doesn't count
    def restart(self, here: list[Process]) -> None: ...
    def jobs(self) -> list[Job]: ...
    def check_replay(self) -> None: ...


class FoldedQueue:
    """Decisions and folds in memory, with a list as the log."""

    def __init__(self) -> None:
        self.log: list[Event] = []
        self.book = Book()

    def _do(self, decide: Callable[[], Decision]) -> Decision:
        try:
            decision = decide()
        except Refused as refused:
            raise Denied(f"{refused} {refused.hint}") from refused
        self._append(*decision.events)
        return decision

    def _append(self, *events: Event) -> None:
        copies = [Event.FromString(event.SerializeToString()) for event in events]  # the log holds bytes
        self.log += numbered(copies, start=len(self.log) + 1)
        for event in copies:
            self.book = book_fold.apply(self.book, event)
        assert not self.book.misplaced

    def submit(self, wanted: e.JobQueued) -> str:
        return self._do(lambda: jobs.submit(self.book, len(self.log) * SECOND_US, wanted)).job

    def command(self, name: str, job: str) -> bool:
        assert name in ONE_JOB
        return bool(self._do(lambda: getattr(jobs, name)(self.book, job)).events)

    def set_priority(self, job: str, priority: "e.Priority.ValueType", preempt: bool) -> bool:
        return bool(self._do(lambda: queue.set_priority(self.book, job, priority, preempt)).events)

    def move(self, job: str, before: str, to_front: bool) -> bool:
        asked = MoveJobRequest(job=job, before=before, to_front=to_front)
        return bool(self._do(lambda: queue.move(self.book, asked)).events)

    def switch(self, state: "e.QueueState.ValueType") -> bool:
        return bool(self._do(lambda: queue.switch(self.book, state, "because")).events)

    def lease(self, process: Process) -> str:
        return self._do(lambda: leases.lease(self.book, *process.identity)).job

    def connect(self, process: Process) -> None:
        process.known = True
        self._append(*trainers.connected(self.book, process.name, process.info()))

    def lose(self, process: Process) -> None:
        self._append(*trainers.lost(self.book, *process.identity, "its stream ended"))

    def tell(self, process: Process, event: Event) -> bool:
        if self.book.jobs.trainers[process.name].epoch != process.epoch:
            return False
        try:
            trainers.admit(self.book, *process.identity, [event], [event.subject])
        except Displaced:
            return False
        self._append(event)
        return True

    def restart(self, here: list[Process]) -> None:
        """The fold of the log anew; who isn't here is lost."""
        self.check_replay()
        self.book = book_fold.fold(self.log)
        for name, epoch in trainers.absent(self.book, [process.name for process in here]):
            self._append(*trainers.lost(self.book, name, epoch, "it did not come back"))

    def jobs(self) -> list[Job]:
        return views.jobs(self.book)

    def check_replay(self) -> None:
        assert content(book_fold.fold(self.log)) == content(self.book)


class ServedQueue:
    """A real server; each process of a trainer is an Append stream of its own."""

    def __init__(self, folder: Path) -> None:
        self._server = ServerProcess(folder / "home", trainer_grace=0.05, start_grace=60.0).start()
        self._file = write_questions(folder / "sums.jsonl", 2)
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._client = self._server.client()

    def submit(self, wanted: e.JobQueued) -> str:
        config = e.TrainingConfig(base_model="tiny")
        try:
            answer = self._client.submit(
                self._file,
                priority=wanted.priority,
                config=config,
                after=wanted.after,
                needs=wanted.needs,
                preempt=wanted.preempt,
            )
        except Rejected as refused:
            raise Denied(str(refused)) from refused
        return answer.job.id

    def _do(self, ask: Callable[[], Any]) -> bool:
        try:
            return bool(ask().position)
        except Rejected as refused:
            raise Denied(f"{refused} {refused.hint}") from refused

    def command(self, name: str, job: str) -> bool:
        return self._do(lambda: getattr(self._client, name)(job))

    def set_priority(self, job: str, priority: "e.Priority.ValueType", preempt: bool) -> bool:
        return self._do(lambda: self._client.set_priority(job, priority, preempt=preempt))

    def move(self, job: str, before: str, to_front: bool) -> bool:
        return self._do(lambda: self._client.move(job, before=before, to_front=to_front))

    def switch(self, state: "e.QueueState.ValueType") -> bool:
        return self._do(lambda: self._client.set_queue(state, reason="because"))

    def lease(self, process: Process) -> str:
        return self._client.lease(*process.identity).job.id

    def connect(self, process: Process) -> None:
        self._streams[process.identity] = _Stream(self._server.address, self._server.home.token(), process)
        process.known = True

    def lose(self, process: Process) -> None:
        head = self._client.head().position
        self._streams.pop(process.identity).close()
        subject = f"trainer/{process.name}"
        if not any(one.id == process.name and one.epoch == process.epoch for one in self._client.status().trainers):
            return  # a newer process of its name has its place
        for answer in self._client.subscribe(head + 1, [subject]):
            if any(event.HasField("trainer_lost") for event in answer.events):
                return

    def tell(self, process: Process, event: Event) -> bool:
        return self._streams[process.identity].tell(event)

    def restart(self, here: list[Process]) -> None:
        """Killed as by a power cut; the trainers that were here come back."""
        self._server.kill()
        for stream in self._streams.values():
            stream.close()
        self._server.start()
        self._client.close()
        self._client = self._server.client()
        for process in here:
            self.connect(process)

    def jobs(self) -> list[Job]:
        return list(self._client.jobs().jobs)

    def check_replay(self) -> None:
        replayed = views.jobs(book_fold.fold(self._client.read()))
        assert replayed == self.jobs()

    def close(self) -> None:
        """Stops the server, and checks its log."""
        for stream in self._streams.values():
            stream.close()
        self._client.close()
        self._server.__exit__(None, None, None)


class _Stream:
    """A trainer's Append stream by hand: one batch, one answer."""

    def __init__(self, address: str, token: str, process: Process) -> None:
        self._requests: SimpleQueue[log_pb2.AppendRequest | None] = SimpleQueue()
        self._channel = connection.channel(address, token)
        self._call = cast(Any, LogStub(self._channel).Append(iter(self._requests.get, None)))
        epoch = process.epoch if process.known else 0
        hello = log_pb2.Hello(producer=process.name, epoch=epoch, trainer=process.info())
        self._requests.put(log_pb2.AppendRequest(hello=hello))
        welcome = next(self._call).welcome
        assert welcome.epoch == process.epoch
        self._sequence = welcome.last_sequence

    def tell(self, event: Event) -> bool:
        self._sequence += 1
        batch = log_pb2.Batch(sequence=self._sequence, events=e.Events(events=[event]))
        self._requests.put(log_pb2.AppendRequest(batch=batch))
        try:
            return bool(next(self._call).ack.sequence == self._sequence)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED):
                return False
            raise

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._channel.close()
