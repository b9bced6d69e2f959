"""What the verbs for guarded operations share: ask, follow the stages, and say how it ended. Knows no verb."""

from typing import Annotated

import typer
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.following import following
from guessbook.clients.cli.output import as_document, err, out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid
from guessbook.proto import safety_pb2
from guessbook.proto.events_pb2 import Event

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the audit keeps it for ever.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask whether it is meant.")]

_ENDS = frozenset({"operation_completed", "operation_refused", "operation_undone"})


class NotDone(GuessbookError):
    """A guarded operation was refused or undone; what it is about is as it was."""

    exit_code = 5


def guard(kind: str, target: str, *, reason: str, argument: str = "", dry_run: bool, yes: bool, as_json: bool) -> None:
    """Shows what will happen, asks, has it done and waits for its end. Raises NotDone."""
    if not dry_run and not reason.strip():
        raise Invalid(
            "a reason is needed: it is what the audit shows for ever", "Add --reason TEXT. Nothing was changed."
        )
    with Guessbook() as book:
        planned = book.request_operation(kind, target, reason=reason, argument=argument, dry_run=True)
        if dry_run:
            _tell_plan(planned, as_json)
            return
        if not yes and not as_json:
            _tell_plan(planned, as_json)
            if not typer.confirm("Do that?", err=True):
                raise typer.Exit(1)
        answer = book.request_operation(kind, target, reason=reason, argument=argument)
        end = _followed(book, answer.operation)
        done = book.operations(id=answer.operation.id).operations[0]
    if as_json:
        print_json(as_document(done))
    if end.HasField("operation_completed"):
        if not as_json:
            out.print(Text(f"done: {end.operation_completed.checked}", style="green"), soft_wrap=True)
            out.print(Text(f"the backup before it is {done.backup}, at {', '.join(done.places)}"), soft_wrap=True)
        return
    body = end.operation_refused if end.HasField("operation_refused") else end.operation_undone
    raise NotDone(body.error, body.hint)


def _tell_plan(answer: safety_pb2.OperationResponse, as_json: bool) -> None:
    if as_json:
        print_json(as_document(answer))
        return
    out.print(Text(f"{answer.operation.kind} {answer.operation.target}", style="bold"), soft_wrap=True)
    for number, line in enumerate(answer.plan, start=1):
        out.print(Text(f"  {number}. {wording.one_line(line)}"), soft_wrap=True)


def _followed(book: Guessbook, operation: safety_pb2.Operation) -> Event:
    """The event that ends an operation."""
    subject = f"operation/{operation.id}"
    err.print(Text(f"operation {operation.id}: making and reading back a backup …"), soft_wrap=True)
    with waiting("making and reading back a backup …") as say:
        for answer in following(book, operation.position, [subject]):
            for event in answer.events:
                body = event.WhichOneof("body") or ""
                if body == "operation_backed_up":
                    say("the backup is whole; now it is done …")
                elif body == "operation_performed":
                    say("done; now it is checked …")
                elif body in _ENDS:
                    return event
    raise AssertionError("a subscription never ends")
