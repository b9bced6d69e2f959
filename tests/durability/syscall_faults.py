"""Attack: each system call by which the server touches its log fails, one at a time (after Tessera's posix fault test).

A run without faults lists the calls. Then one run for each call and error number, in which that call fails. The server may refuse, or stop; it
must not acknowledge what is not there, and after a write or a sync that failed it must not go on as if nothing had happened.
"""

import random
import shutil
import time
from collections import Counter
from pathlib import Path

from durability import strace
from durability.inspection import inspect
from durability.ledger import Ledger, Result
from durability.sender import Sender
from server_process import ServerProcess

CALLS = ("openat", "pwrite64", "writev", "pwritev", "fdatasync", "fsync", "msync", "ftruncate")
SYNCS = ("fdatasync", "fsync", "msync")
ERRORS = ("EIO", "ENOSPC")
BATCHES = 3  # of the append whose calls are counted
PATIENCE_S = 10.0

Fault = tuple[str, int, str]  # the call, its how manieth it is, the error


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """`rounds` of the faults there are, chosen at random; 0: all of them."""
    result = Result("a system call fails")
    prepared = folder / "prepared"
    _prepare(prepared)
    faults = _faults(_copy(prepared, folder / "listed"))
    if rounds:
        faults = random.Random(seed).sample(faults, min(rounds, len(faults)))
    outcomes: Counter[str] = Counter()
    for number, fault in enumerate(faults):
        outcome, found = _round(_copy(prepared, folder / f"fault{number}"), fault)
        outcomes[outcome] += 1
        result.rounds += 1
        result.acknowledged += found.acknowledged
        result.add(found)
    result.note = ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items()))
    return result


def _prepare(home: Path) -> None:
    """A log with some history, so that its pages are reused as in daily life."""
    server = ServerProcess(home).start()
    sender = Sender("before", server.address, Ledger(), last=20)
    sender.start()
    sender.join()
    server.stop()


def _copy(prepared: Path, home: Path) -> Path:
    return Path(shutil.copytree(prepared, home))


def _traced(home: Path, options: tuple[str, ...] = ()) -> ServerProcess:
    files = [home / "log" / name for name in ("data.mdb", "lock.mdb", "writer.lock")]
    command = strace.command(home / "trace", CALLS, paths=files, options=("-s", "0", *options))
    return ServerProcess(home, wrapper=command)


def _faults(home: Path) -> list[Fault]:
    """strace counts the calls of each thread for itself: the n-th of a name is one of main's or one of the writer's."""
    server = _traced(home).start()
    sender = Sender("p", server.address, Ledger(), last=BATCHES, window=1)
    sender.start()
    sender.join()
    server.stop()
    counts = Counter((call.thread, call.name) for call in strace.calls(home / "trace"))
    highest: dict[str, int] = {}
    for (_, name), count in counts.items():
        highest[name] = max(highest.get(name, 0), count)
    return [
        (name, number, error)
        for name, most in sorted(highest.items())
        for number in range(1, most + 1)
        for error in ERRORS
    ]


def _round(home: Path, fault: Fault) -> tuple[str, Result]:
    name, number, error = fault
    ledger = Ledger()
    server = _traced(home, ("-e", f"inject={name}:error={error}:when={number}"))
    outcome = _until_it_ends(server, ledger)
    injected = [call for call in strace.calls(home / "trace") if call.injected]
    found = inspect(server.home.log, ledger.positions())
    if injected and outcome not in _allowed(fault):
        found.failures.append(f"the server {outcome}")
    healed = ServerProcess(home).start()
    sender = Sender("p", healed.address, ledger, last=2 * BATCHES)
    sender.start()
    sender.join(PATIENCE_S)
    healed.stop()
    sender.stop()
    found.add(inspect(healed.home.log, ledger.positions()))
    found.corrupt += ledger.moved
    if sender.acknowledged != 2 * BATCHES:
        found.failures.append("afterwards, on a healthy disk, it takes no events")
    found.failures = [f"{name} {number} {error}: {failure}" for failure in found.failures]
    found.acknowledged = ledger.events
    shutil.rmtree(home)
    return outcome, found


def _allowed(fault: Fault) -> set[str]:
    """A failed sync must never be tried again, as the kernel may have dropped what it could not write."""
    name, _, error = fault
    if name == "openat":
        return {"did not start", "stopped", "refused", "went on"}
    if name in SYNCS or error == "EIO":
        return {"did not start", "stopped"}
    return {"did not start", "stopped", "refused"}


def _until_it_ends(server: ServerProcess, ledger: Ledger) -> str:
    """Writes until all is acknowledged, or refused, or the server is gone. What the server did."""
    try:
        server.start()
    except RuntimeError:
        return "did not start"
    sender = Sender("p", server.address, ledger, last=BATCHES, window=1)
    sender.start()
    deadline = time.monotonic() + PATIENCE_S
    while server.running and sender.is_alive() and time.monotonic() < deadline:
        sender.join(0.05)
    stopped = not server.running
    if not stopped:
        server.stop()
    sender.stop()
    if stopped:
        return "stopped"
    return "refused" if sender.refusals else "went on"
