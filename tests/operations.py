"""Guarded operations, asked for and waited for."""

from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import Operation

ENDS = {"operation_completed", "operation_refused", "operation_undone"}


def carried_out(
    book: Guessbook, kind: str, target: str = "", *, argument: str = "", reason: str = "a test"
) -> Operation:
    """Asks for an operation and waits until it has ended."""
    return ended(book, book.request_operation(kind, target, reason=reason, argument=argument).operation)


def ended(book: Guessbook, asked: Operation) -> Operation:
    """An operation as it was when it had ended."""
    for answer in book.subscribe(asked.position, [f"operation/{asked.id}"]):
        if any(event.WhichOneof("body") in ENDS for event in answer.events):
            return book.operations(id=asked.id).operations[0]
    raise AssertionError("a subscription never ends")
