"""`guessbook audit`."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import NotFound
from guessbook.proto import safety_pb2

STYLES = {
    safety_pb2.OPERATION_STAGE_COMPLETED: "green",
    safety_pb2.OPERATION_STAGE_REFUSED: "yellow",
    safety_pb2.OPERATION_STAGE_UNDONE: "red",
}


def parse_time(text: str) -> int:
    """An ISO 8601 time as microseconds since 1970."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time such as 2026-11-22 or 2026-11-22T10:30") from error


def audit(
    operation: Annotated[str, typer.Argument(metavar="[ID]", help="One operation; without it, all.")] = "",
    since: Annotated[
        int | None, typer.Option(metavar="TIME", parser=parse_time, help="Only those asked for since then.")
    ] = None,
    actor: Annotated[str, typer.Option(metavar="NAME", help="Only what this one asked for.")] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Read each one's backup back now.")] = False,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """List every destructive operation: who, when, why, what before, what after, which backup, and whether that is whole.

    Example: guessbook audit --since 2026-01-01
    """
    with Guessbook() as book:
        found = list(book.operations(at, since_us=since or 0, actor=actor, id=operation).operations)
        if operation and not found:
            raise NotFound(f"there is no operation {operation}", "`guessbook audit` lists all.")
        if verify:
            there = {one.id for one in book.backups(at).backups}
            for identity in sorted({one.backup for one in found} & there):  # the others were pruned
                book.verify_backup(identity)
        backups = list(book.backups(at, pruned=True).backups)
    told = [_states(one, backups) for one in found]
    if as_json:
        documents = [as_document(one) | {"backups": states} for one, states in zip(found, told, strict=True)]
        print_json({"operations": documents})
        return
    if not found:
        out.print("Nothing destructive was ever asked for here." if not (since or actor) else "Nothing of that kind.")
    for one, states in zip(found, told, strict=True):
        out.print(_view(one, states), soft_wrap=True)


def _states(operation: safety_pb2.Operation, backups: list[safety_pb2.Backup]) -> list[dict[str, str]]:
    """The operation's backup at each place, and how it was when it was read back last."""
    return [
        {"place": backup.place, "state": _state(backup), "verified": wording.moment(backup.verified_at_us)}
        for backup in backups
        if backup.id == operation.backup
    ]


def _state(backup: safety_pb2.Backup) -> str:
    if backup.pruned_at_us:
        return "pruned"
    return "whole" if backup.sound else backup.problem or "not verified"


def _view(one: safety_pb2.Operation, states: list[dict[str, str]]) -> RenderableType:
    stage = safety_pb2.OperationStage.Name(one.stage).removeprefix("OPERATION_STAGE_").lower().replace("_", " ")
    head = Text(f"{wording.moment(one.requested_at_us)}  ")
    head.append(f"{one.kind} {wording.one_line(one.target)}", style="bold")
    head.append(f"  {stage}", style=STYLES.get(one.stage, "cyan"))
    lines = [head, Text(f"  {one.id} · by {wording.one_line(one.actor)} · {wording.one_line(one.reason)}")]
    lines += [Text(f"  before {wording.one_line(one.before)}"), Text(f"  after  {wording.one_line(one.after)}")]
    if one.error:
        lines.append(Text(f"  {wording.one_line(one.error)} {wording.one_line(one.hint)}", style="yellow"))
    if one.checked:
        lines.append(Text(f"  checked: {wording.one_line(one.checked)}"))
    for state in states:
        style = "" if state["state"] == "whole" else "yellow"
        told = f"  backup {one.backup} at {state['place']}: {state['state']}, read back {state['verified']}"
        lines.append(Text(told, style=style))
    return Group(*lines)
