"""Attack: the server, or the process that writes the archive, is killed at one system call after the other while history is archived.

However far it came: afterwards every event is read as before, what was acknowledged is stored once, nothing unfinished is left, and it can be archived.
"""

import contextlib
import random
import shutil
from collections import Counter
from pathlib import Path

from durability import strace
from durability.ledger import Ledger, Result, compare
from durability.sender import Sender
from server_process import ServerProcess

from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import Event

# In the order in which they come: the book and the archive are written, synced, renamed; the log commits; frames are taken out.
CALLS = ("fsync", "rename", "chmod", "unlink", "pwrite64", "fdatasync")
BATCHES = 20
PATIENCE_S = 30.0

Kill = tuple[str, int]


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """`rounds` of the calls there are, chosen at random; 0: all of them."""
    result = Result("kill -9 while history is archived")
    ledger, prepared = Ledger(), folder / "prepared"
    for last in (BATCHES, BATCHES + 1):  # at the first stop a checkpoint is signed
        server = ServerProcess(prepared).start()
        _send(server, ledger, last)
        with server.client() as book:
            before = list(book.read())
        server.stop()
    kills = _kills(Path(shutil.copytree(prepared, folder / "listed")))
    if rounds:
        kills = random.Random(seed).sample(kills, min(rounds, len(kills)))
    outcomes: Counter[str] = Counter()
    for number, kill in enumerate(kills):
        home = Path(shutil.copytree(prepared, folder / f"kill{number}"))
        outcome, found = _round(home, kill, before, ledger)
        found.failures = [f"{kill[0]} {kill[1]}: {failure}" for failure in found.failures]
        outcomes[outcome] += 1
        result.rounds += 1
        result.add(found)
        shutil.rmtree(home)
    result.acknowledged = ledger.events * result.rounds
    result.note = ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items()))
    return result


def _send(server: ServerProcess, ledger: Ledger, last: int) -> None:
    sender = Sender("p", server.address, ledger, last=last)
    sender.start()
    sender.join(PATIENCE_S)
    sender.stop()


def _archive(server: ServerProcess) -> bool:
    with contextlib.suppress(GuessbookError), server.client() as book:
        return bool(book.archive(reason="attack").position)
    return False


def _traced(home: Path, options: tuple[str, ...] = ()) -> ServerProcess:
    return ServerProcess(home, wrapper=strace.command(home / "trace", CALLS, options=("-s", "0", *options)))


def _kills(home: Path) -> list[Kill]:
    """strace counts the calls of each thread for itself. Those of the server's start are among them, and do no harm."""
    server = _traced(home).start()
    assert _archive(server)
    server.kill()
    counts = Counter((call.thread, call.name) for call in strace.calls(home / "trace"))
    highest: dict[str, int] = {}
    for (_, name), count in counts.items():
        highest[name] = max(highest.get(name, 0), count)
    return [(name, number) for name, most in highest.items() for number in range(1, most + 1)]


def _round(home: Path, kill: Kill, before: list[Event], ledger: Ledger) -> tuple[str, Result]:
    ledger = _copy(ledger)  # each round goes on in its own way
    server = _traced(home, ("-e", f"inject={kill[0]}:signal=SIGKILL:when={kill[1]}"))
    archived = False
    with contextlib.suppress(RuntimeError):  # killed before it served
        archived = _archive(server.start())
    if server.running:
        server.kill()
    healed = ServerProcess(home).start()
    result = Result("")
    with healed.client() as book:
        _judge(result, list(book.read()), before)
        told = _told(list(book.read()))
        files = [one.name for one in sorted((home / "log" / "archive").glob("*")) if one.suffix != ".book"]
        if files != told or (archived and not told):
            result.failures.append(f"the log tells of {told}, and there are {files}")
    _send(healed, ledger, BATCHES + 3)
    healed.stop()  # a checkpoint is signed
    again = ServerProcess(home).start()
    with again.client() as book:
        if not _archive(again):
            result.failures.append("afterwards nothing can be archived")
        events = list(book.read())
        _judge(result, events, before)
        result.add(compare(ledger.positions(), events))
    result.corrupt += ledger.moved
    again.stop()
    verdict = again.verify()
    if not verdict.ok or not all(one.present for one in verdict.archives):
        result.failures.append(f"verify: {verdict.problem}")
    return ("archived" if told else "not archived"), result


def _copy(ledger: Ledger) -> Ledger:
    copy = Ledger()
    for (name, sequence), position in ledger.positions().items():
        copy.acknowledge(name, sequence, position)
    return copy


def _judge(result: Result, events: list[Event], before: list[Event]) -> None:
    if events[: len(before)] != before:
        result.corrupt += 1
        result.failures.append("events are not read as before")


def _told(events: list[Event]) -> list[str]:
    return [event.history_archived.file for event in events if event.HasField("history_archived")]
