"""The options that several verbs share, with one meaning everywhere. Knows no server."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from guessbook.proto import events_pb2, history_pb2
from guessbook.store.job_config import size


def parse_at(text: str) -> history_pb2.At:
    """A point in the log: a position ("120") or a time ("2025-11-17T10:30", local unless it says otherwise)."""
    try:
        if text.isdecimal():
            return history_pb2.At(position=int(text))
        return history_pb2.At(time_us=int(datetime.fromisoformat(text).timestamp() * 1_000_000))
    except (ValueError, OverflowError) as error:  # also what no log is old or long enough for
        raise typer.BadParameter(f"{text!r} is neither a position nor an ISO 8601 time") from error


def parse_size(text: str | int) -> int:
    """A number of bytes, as in a job's YAML."""
    try:
        return size(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from error


class Priority(StrEnum):
    """The priorities as people write them; the names are those of the .proto, without its prefix."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"

    def number(self) -> events_pb2.Priority.ValueType:
        return events_pb2.Priority.Value(f"PRIORITY_{self.name}")


class Role(StrEnum):
    """What a token may do; the names are those of the .proto, without its prefix."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    TRAINER = "trainer"
    ADMIN = "admin"

    def number(self) -> events_pb2.Role.ValueType:
        return events_pb2.Role.Value(f"ROLE_{self.name}")

    @classmethod
    def of(cls, number: events_pb2.Role.ValueType) -> "Role":
        return cls[events_pb2.Role.Name(number).removeprefix("ROLE_")]


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]
AtOption = Annotated[
    history_pb2.At | None,
    typer.Option("--at", metavar="POSITION", parser=parse_at, help="As of this position of the log, or of this time."),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help='A run\'s id, or "latest".')]
BaseModel = Annotated[
    str,
    typer.Option(metavar="MODEL", envvar="GUESSBOOK_BASE_MODEL", help="The base model of jobs that name none."),
]
WaitingJob = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, as `guessbook queue` lists it.")]
Preempt = Annotated[
    bool, typer.Option("--preempt", help="A less urgent running job makes room, and goes on by itself afterwards.")
]
Memory = Annotated[
    int,
    typer.Option(
        "--memory", metavar="SIZE", parser=parse_size, help="Only on a device with so much memory, e.g. 40GB."
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="A job's id; without it, the one that is meant.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only record the request, don't wait for the trainer.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the trainer's answer.")]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help='A version\'s name or number, or "latest".')]
