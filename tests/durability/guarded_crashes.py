"""Attack: the server, or a process that makes, checks or removes a backup, is killed at one system call after the other of each kind of guarded operation.

However far it came: after the next start the operation ends, and what is there is the old state or the new one, whole, with every version, event and backup.
"""

import contextlib
import random
import shutil
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from durability import strace
from durability.kept_state import NEW_CONFIG, OLD_CONFIG, STATES, KeptState, events_of
from durability.ledger import Result
from made_versions import ScriptedTrainer
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.clients.producer import Producer
from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import (
    Consolidation,
    Event,
    File,
    JobCompleted,
    JobStarted,
    TrainerConnected,
    VersionCreated,
)
from guessbook.proto.safety_pb2 import OperationStage
from guessbook.store.artifacts import Artifacts

# What makes something durable or takes it away: commits of the log; files written, named and removed, by the server and by the backups' processes.
CALLS = ("fdatasync", "fsync", "rename", "unlink")
TARGETS = {"delete-version": "v2", "rollback": "v1", "switch-base-model": "mine", "consolidate": "v2"}
ARGUMENTS = {"change-config": NEW_CONFIG}
PATIENCE_S = 60.0
UNHARMED = "nothing was killed"

Kill = tuple[str, str, int]  # the kind of operation, the call, its how manieth of a thread it is


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """`rounds` of the calls there are, chosen at random; 0: all of them."""
    result = Result("kill -9 in guarded operations")
    prepared = folder / "prepared"
    _prepare(prepared, folder)
    dice = random.Random(seed)
    kinds = list(STATES) if not rounds else dice.sample(list(STATES), min(rounds, len(STATES)))
    kills = [kill for kind in kinds for kill in _kills(kind, prepared, folder)]
    if rounds:
        kills = dice.sample(kills, min(rounds, len(kills)))
    outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for number, kill in enumerate(kills):
        home = Path(shutil.copytree(prepared, folder / f"kill{number}", symlinks=True))
        reached, ended, found = _round(home, kill)
        outcomes[kill[0], reached][ended] += 1
        result.rounds += 1
        result.acknowledged += found.acknowledged
        found.failures = [f"{' '.join(map(str, kill))} ({reached}): {failure}" for failure in found.failures]
        result.add(found)
        if found.unharmed:
            shutil.rmtree(home, ignore_errors=True)
    if all(reached == UNHARMED for _, reached in outcomes):
        result.failures.append("nothing was killed")
    result.note = "".join(
        f"\n  {kind}, {reached}: {', '.join(f'{ended} {count}' for ended, count in sorted(ends.items()))}"
        for (kind, reached), ends in outcomes.items()
    )
    return result


def _prepare(home: Path, folder: Path) -> None:
    """Two versions, a base model, and three backups of which two may go."""
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(OLD_CONFIG)
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    server = ServerProcess(home).start()
    trainer = ScriptedTrainer(server, folder)
    with server.client() as book:
        for name in ("one", "two"):
            trainer.version(book, name)
        book.add_base_model("mine", str(folder / "model"))
        for _ in range(3):
            assert not book.create_backup().problems
    trainer.close()
    server.stop()


def _traced(home: Path, options: tuple[str, ...] = ()) -> ServerProcess:
    return ServerProcess(home, wrapper=strace.command(home / "trace", CALLS, options=("-s", "0", *options)))


def _kills(kind: str, prepared: Path, folder: Path) -> list[Kill]:
    """strace counts the calls of each thread for itself. Those of the server's start are left out: no operation has begun."""
    home = Path(shutil.copytree(prepared, folder / f"listed-{kind}", symlinks=True))
    server = _traced(home).start()
    started = sum(1 for _ in strace.calls(home / "trace"))
    stage = _carry_out(server, kind)
    assert stage == "completed", f"{kind} without any kill: {stage}"
    server.kill()
    counts: Counter[tuple[int, str]] = Counter()
    listed: set[tuple[str, int]] = set()
    for number, call in enumerate(strace.calls(home / "trace")):
        counts[call.thread, call.name] += 1
        if number >= started:
            listed.add((call.name, counts[call.thread, call.name]))
    return [(kind, *one) for one in sorted(listed)]


def _carry_out(server: ServerProcess, kind: str) -> str:
    """Asks for an operation and waits until it has ended, or nobody carries it on. How it ended."""
    with contextlib.suppress(GuessbookError), _merging(server, kind), server.client() as book:
        book.request_operation(
            kind, TARGETS.get(kind, ""), argument=ARGUMENTS.get(kind, ""), reason="to see it interrupted"
        )
        return _ended(server, book)
    return "cut off"


def _ended(server: ServerProcess, book: Guessbook) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while server.running and time.monotonic() < deadline:
        known = book.operations().operations
        if not known:
            return "never asked for"
        if known[0].ended_at_us:
            return _word(known[0].stage)
        time.sleep(0.05)
    return "cut off"


def _word(stage: "OperationStage.ValueType") -> str:
    return OperationStage.Name(stage).removeprefix("OPERATION_STAGE_").replace("_", " ").lower()


def _round(home: Path, kill: Kill) -> tuple[str, str, Result]:
    """What was killed and when, how the operation ended, and what was lost."""
    kind, name, number = kill
    server = _traced(home, ("-e", f"inject={name}:signal=SIGKILL:when={number}"))
    with contextlib.suppress(RuntimeError):  # killed before it served
        server.start()
        _carry_out(server, kind)
    died = not server.running
    if not died:
        server.kill()
    before = events_of(server.home)
    reached = _reached(before) if died else "a backup's process was killed" if _hit(home) else UNHARMED
    healed = ServerProcess(home).start()
    with _merging(healed, kind), healed.client() as book:
        ended = _ended(healed, book)
    code = healed.stop()
    state = KeptState.of(healed.home)
    found = state.judge(kind, before)
    found.acknowledged = len(before)
    found.failures += [f"the next server ended with code {code}"] if code else []
    return reached, ended, found


def _reached(events: list[Event]) -> str:
    """The last stage that is durable."""
    bodies = [event.WhichOneof("body") or "" for event in events if event.subject.startswith("operation/")]
    stage = bodies[-1].removeprefix("operation_").replace("_", " ") if bodies else "not asked for"
    return f"the server was killed when {stage}"


def _hit(home: Path) -> bool:
    return "+++ killed by SIGKILL +++" in (home / "trace").read_text()


@contextlib.contextmanager
def _merging(server: ServerProcess, kind: str) -> Iterator[None]:
    """A trainer that answers the job of a consolidation, as long as the server is there."""
    if kind != "consolidate":
        yield
        return
    over = threading.Event()
    merger = threading.Thread(target=_merge, args=(server, over))
    merger.start()
    try:
        yield
    finally:
        over.set()
        merger.join()


def _merge(server: ServerProcess, over: threading.Event) -> None:
    connected = TrainerConnected(device="cpu")
    producer = Producer("merger", server.home.root / "merger.sqlite", server.address, connected)
    producer.start()
    try:
        with contextlib.suppress(GuessbookError), server.client() as book:
            while server.running and not over.wait(0.05):
                if producer.epoch and producer.flush(1.0):
                    _answer(book.lease("merger", producer.epoch), producer, Artifacts(server.home.artifacts))
    finally:
        producer.close(0.0)  # what the server did not take is sent by the next one


def _answer(lease: LeaseJobResponse, producer: Producer, artifacts: Artifacts) -> None:
    """What a trainer says that merged a version and proved it."""
    if not lease.HasField("job"):
        return
    weights = File(path="model.safetensors", sha256=artifacts.write([b"merged"]), bytes=6)
    proof = Consolidation(version=lease.job.consolidate, examples=4, same_guesses=4, tolerance=1e-3)
    created = VersionCreated(
        slug="merged",
        parent=lease.job.consolidate,
        job=lease.job.id,
        run=lease.run,
        base_model="tiny",
        files=[weights],
        consolidation=proof,
    )
    producer.record(Event(subject=f"job/{lease.job.id}", job_started=JobStarted(run=lease.run)))
    producer.record(Event(subject=f"run/{lease.run}", version_created=created))
    producer.record(Event(subject=f"job/{lease.job.id}", job_completed=JobCompleted()))
