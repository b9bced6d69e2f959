"""Carries guarded operations through their stages: backup, verify, perform, check, or undo. Each stage is an event before the next begins.

Where the process ends in the middle, the next start goes on from the last stage that the log has: what a stage does can be done twice. Decides nothing;
what the kinds of operations are stands in decide/operations.py, and what they do outside the log in guarded_works.py.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from guessbook.projections.book import Book
from guessbook.projections.operations import ENDED, SUBJECT
from guessbook.proto.events_pb2 import (
    Event,
    OperationBackedUp,
    OperationCompleted,
    OperationPerformed,
    OperationRefused,
    OperationUndone,
)
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_BACKED_UP,
    OPERATION_STAGE_PERFORMED,
    OPERATION_STAGE_REQUESTED,
    Operation,
    OperationRequest,
)
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.operations import KINDS, Circumstances, Proposal, request
from guessbook.server.decide.rejection import Invalid, Missing, Refused, Rejection
from guessbook.server.live_book import LiveBook

AS_IT_WAS = "Everything is as it was."

AGAIN_S = 30

_log = logging.getLogger(__name__)


class CannotGoOn(Exception):
    """A stage failed. `hint`: what to do about it."""

    def __init__(self, error: str, hint: str) -> None:
        super().__init__(error)
        self.hint = hint


class Work(Protocol):
    """What a kind of operation does outside the log. Each may be called again for the same operation after a crash."""

    async def perform(self, operation: Operation) -> tuple[Sequence[Event], str]:
        """The events that follow from it, besides those that were decided, and the result as JSON. Raises CannotGoOn."""

    async def check(self, operation: Operation) -> tuple[Sequence[Event], str]:
        """The events that complete it, and what was looked at, as a sentence. Raises CannotGoOn: then it is undone."""

    async def undo(self, operation: Operation) -> str:
        """Puts back what `perform` did outside the log, and says how things stand then."""


# Makes a backup of a kind for an operation at every place and verifies it: its id and the places. Raises CannotGoOn.
BackUp = Callable[[str, str], Awaitable[tuple[str, Sequence[str]]]]


class Guarded:
    """One operation at a time."""

    def __init__(self, live: LiveBook, back_up: BackUp, works: Mapping[str, Work]) -> None:
        self._live = live
        self._back_up = back_up
        self._works = works
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def request(
        self, actor: str, asked: OperationRequest, circumstances: Circumstances
    ) -> tuple[Operation, list[str]]:
        """Records the request and sets it going; on a dry run only says what would happen. Raises Rejection."""
        identity = uuid.uuid4().hex[:12]
        proposal: Proposal | None = None

        def decide(book: Book) -> Decision:
            nonlocal proposal
            proposal, event = request(book, asked, identity, circumstances)
            return Decision("", "", [] if asked.dry_run else [event])

        await self._live.decide(actor, decide)
        assert proposal is not None
        plan = [f"a backup of the kind {KINDS[asked.kind].backup} is made at every place and read back", *proposal.plan]
        if asked.dry_run:
            return Operation(kind=asked.kind, target=proposal.target, reason=asked.reason, actor=actor), plan
        self._start(identity)
        return self._live.book.operations.by_id[identity], plan

    async def abort(self, identity: str, actor: str, reason: str) -> Operation:
        """Ends an operation that waits for a trainer, which may never come. Raises Missing, Invalid; Refused if it doesn't, or waited until just now."""
        operation = self._live.book.operations.by_id.get(identity)
        if operation is None:
            raise Missing(f"there is no operation {identity!r}", "`guessbook audit` lists them.")
        if not reason.strip():
            raise Invalid("a reason is needed: it is what the audit shows for ever", "Say why, with --reason.")
        if operation.kind != "consolidate" or operation.stage != OPERATION_STAGE_BACKED_UP:
            raise Refused(f"operation {identity} doesn't wait for a trainer", "It ends by itself, or has ended.")
        task = self._tasks.get(identity)
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        operation = self._live.book.operations.by_id[identity]
        if operation.stage == OPERATION_STAGE_BACKED_UP:
            await self._undo(operation, CannotGoOn(f"{actor} ended it: {reason.strip()}", ""))
        elif operation.stage not in ENDED:  # that commit was on its way
            self._start(identity)
            raise Refused(f"operation {identity} was performed just then", f"It goes on: guessbook audit {identity}")
        return self._live.book.operations.by_id[identity]

    def resume(self) -> None:
        """Goes on with what was under way when the process ended."""
        for operation in self._live.book.operations.under_way():
            _log.info("operation %s (%s %s) goes on", operation.id, operation.kind, operation.target)
            self._start(operation.id)

    async def close(self) -> None:
        """Leaves what is under way to the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, identity: str) -> None:
        task = self._tasks[identity] = asyncio.create_task(self._carry(identity))
        task.add_done_callback(lambda ended: self._ended(identity, ended))

    def _ended(self, identity: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[identity]
        if not task.cancelled() and (error := task.exception()):
            _log.error(
                "operation %s stands still; the next start of the server goes on with it", identity, exc_info=error
            )

    async def _carry(self, identity: str) -> None:
        stages = {
            OPERATION_STAGE_REQUESTED: self._backup,
            OPERATION_STAGE_BACKED_UP: self._perform,
            OPERATION_STAGE_PERFORMED: self._check,
        }
        while (operation := self._live.book.operations.by_id[identity]).stage not in ENDED:
            try:
                await stages[operation.stage](operation)
            except Exception:  # noqa: BLE001  a full disk, say: a stage can be done again, and nothing else may be done before this has ended
                _log.exception("operation %s could not go on, and is tried again in %d s", identity, AGAIN_S)
                await asyncio.sleep(AGAIN_S)

    async def _backup(self, operation: Operation) -> None:
        try:
            backup, places = await self._back_up(KINDS[operation.kind].backup, operation.id)
        except CannotGoOn as error:
            await self._works[operation.kind].undo(operation)  # what the request itself laid ready
            refused = OperationRefused(error=str(error), hint=f"Nothing was changed. {error.hint}")
            await self._record(operation, _nothing, operation_refused=refused)
        else:
            await self._record(operation, _nothing, operation_backed_up=OperationBackedUp(backup=backup, places=places))

    async def _perform(self, operation: Operation) -> None:
        try:
            events, result = await self._works[operation.kind].perform(operation)
        except CannotGoOn as error:
            await self._undo(operation, error)
            return
        try:
            await self._record(
                operation,
                lambda book: [*events, *KINDS[operation.kind].perform(book, operation)],
                operation_performed=OperationPerformed(result=result),
            )
        except Rejection as changed:  # what it is about was changed by others since it was asked for
            await self._undo(operation, CannotGoOn(str(changed), changed.hint))

    async def _check(self, operation: Operation) -> None:
        try:
            events, checked = await self._works[operation.kind].check(operation)
        except CannotGoOn as error:
            await self._undo(operation, error)
            return
        await self._record(operation, lambda book: events, operation_completed=OperationCompleted(checked=checked))

    async def _undo(self, operation: Operation, error: CannotGoOn) -> None:
        _log.warning("operation %s (%s %s) is undone: %s", operation.id, operation.kind, operation.target, error)
        state = await self._works[operation.kind].undo(operation)
        undone = OperationUndone(error=str(error), hint=f"{state} {error.hint}")
        await self._record(operation, lambda book: KINDS[operation.kind].undo(book, operation), operation_undone=undone)

    async def _record(
        self,
        operation: Operation,
        events: Callable[[Book], Sequence[Event]],
        **stage: OperationBackedUp | OperationPerformed | OperationCompleted | OperationRefused | OperationUndone,
    ) -> None:
        """A stage and what it changed, in one commit: the log never has one without the other. Of an operation that has ended meanwhile nothing is recorded."""

        def decide(book: Book) -> Decision:
            if book.operations.by_id[operation.id].stage in ENDED:
                return Decision("", "")
            told = [*events(book), Event(subject=f"{SUBJECT}{operation.id}", causation=operation.position, **stage)]  # type: ignore[arg-type]
            for event in told:
                event.correlation = event.correlation or f"{SUBJECT}{operation.id}"
            return Decision("", "", told)

        await self._live.decide(operation.actor, decide)


def _nothing(book: Book) -> Sequence[Event]:
    return []
