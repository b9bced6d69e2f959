"""The server's own log: one JSON object a line, or plain text on a terminal. Each line names its call, the caller and the position in the event log.

Every call that was rejected or failed, and every one that changed something, has one line. Knows no service.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

FIELDS = ("rpc", "actor", "position", "seconds")

_log = logging.getLogger(__name__)


@dataclass
class Call:
    """What a call has come to so far. `position`: of the last event it appended; 0: of none."""

    rpc: str
    actor: Callable[[], str]  # asked when it is needed: who calls is found out in the call
    began: float
    position: int = 0
    changed: bool = False
    told: bool = False
    ended: bool = False  # tasks that the call began inherit it; what gRPC holds of it must not be touched any more


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def call(rpc: str, actor: Callable[[], str]) -> Iterator[Call]:
    """A call, from its begin to its end. Tells at the end what it changed, unless its rejection was told already."""
    mine = Call(rpc, actor, perf_counter())
    before = _call.set(mine)
    try:
        yield mine
    finally:
        if mine.changed and not mine.told:
            _log.info("done", extra={"seconds": round(perf_counter() - mine.began, 4)})
        mine.ended = True
        _call.reset(before)


def changed(position: int = 0) -> None:
    """Says of the call that is served, if there is one, that it changed something: the event log up to a position, or files."""
    if mine := _call.get():
        mine.changed = True
        mine.position = position or mine.position


def told() -> None:
    """Says that what became of the call is about to be logged."""
    if mine := _call.get():
        mine.told = True


def add_call(record: logging.LogRecord) -> bool:
    """A logging filter: what is known of the call that a line was written in."""
    if (mine := _call.get()) and not mine.ended:
        record.rpc, record.actor = mine.rpc, mine.actor()
        record.position = mine.position or None
    return True


class JsonFormatter(logging.Formatter):
    """One line a record: time (UTC), level, logger, message, and what is known of rpc, actor, position, seconds and error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _known(record)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """The same for a person at a terminal, which no text in it can steer."""

    def format(self, record: logging.LogRecord) -> str:
        known = " ".join(f"{field}={value}" for field, value in _known(record).items())
        time = datetime.fromtimestamp(record.created).isoformat(sep=" ", timespec="seconds")
        line = _printable(f"{time} {record.levelname} {record.getMessage()} {known}".rstrip())
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line += "".join(f"\n{_printable(part)}" for part in trace)
        return line


def configure() -> None:
    """All logging of this process goes to standard error, from INFO on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if sys.stderr.isatty() else JsonFormatter())
    handler.addFilter(add_call)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _known(record: logging.LogRecord) -> dict[str, Any]:
    return {field: value for field in FIELDS if (value := getattr(record, field, None)) not in (None, "")}


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
