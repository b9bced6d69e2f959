"""Attack: `kill -9` of the trainer at random moments, some of its checkpoints damaged besides. Each adapter must be that of an undisturbed run, bit by bit.

The trainers are real processes, forked from one that has torch already, since a start would take longer than the training. What each job asks for is what
makes an inexact resume show: dropout, accumulated gradients, batches that don't divide the data, several epochs, a schedule and weight decay.
"""

import json
import multiprocessing
import random
import shutil
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

from durability.ledger import Result
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Event, TrainingConfig
from guessbook.proto.history_pb2 import Version
from guessbook.store.home import Home

KILLS_EACH = 4  # of one job; the trainer after the last one ends it
STEPS = 24
EXAMPLES = 10
PATIENCE_S = 60.0
NAME = "box"
DAMAGES = ("no marker", "file gone", "file cut", "bit turned", "folder half written")


def attack(folder: Path, rounds: int, seed: int) -> Result:
    """A round is a kill. Each job takes some of them."""
    dice = random.Random(seed)
    result = Result("kill -9 of the trainer")
    model = make_tiny_model(folder / "model")
    with ServerProcess(folder / "home", start_grace=PATIENCE_S) as server, server.client() as book:
        nursery = _Nursery(server)
        reference, whole_s = _undisturbed(book, nursery, folder, model)
        resumed_at = []
        while result.rounds < rounds:
            job = _submit(book, folder, model)
            for _ in range(min(KILLS_EACH, rounds - result.rounds)):
                killed = nursery.kill_at_random(book, job, dice, whole_s)
                result.rounds += killed
                if not killed:
                    break  # it was done before
                _damage_some(server.home, book, job, dice)
            nursery.let_end(book, job)
            resumed_at += [event.job_resumed.step for event in _events(book, job, "job_resumed")]
            result.failures += _differences(book, reference, _version(book, job))
        steps = [event for event in book.read() if event.HasField("step_completed")]
        result.acknowledged = len(steps)
        result.note = f"seed {seed}: {len(reference.files)} files of each adapter identical; resumed after the steps {sorted(resumed_at)}"
    return result


class _Nursery:
    """Where trainer processes come from."""

    def __init__(self, server: ServerProcess) -> None:
        self._home, self._address = server.home, server.address
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["guessbook.trainer.daemon"])

    def start(self) -> BaseProcess:
        process = self._context.Process(target=_train, args=(self._home.root, self._address), daemon=True)
        process.start()
        return process

    def kill_at_random(self, book: Guessbook, job: str, dice: random.Random, whole_s: float) -> bool:
        """Lets a trainer work for a random time after it took the job up. False: that was enough to complete it."""
        head = book.head().position
        process = self.start()
        try:
            _wait(book, job, ("job_leased",), head + 1)
            time.sleep(dice.uniform(0.0, whole_s))  # the moment of the kill is the attack
        finally:
            process.kill()
            process.join()
        return not _events(book, job, "job_completed")

    def let_end(self, book: Guessbook, job: str) -> None:
        process = self.start()
        try:
            _wait(book, job, ("job_completed", "job_failed"), 1)
        finally:
            process.terminate()
            process.join(PATIENCE_S)
            process.kill()


def _train(home: Path, address: str) -> None:
    """What a forked process does."""
    import torch

    from guessbook.trainer.daemon import Daemon

    torch.set_num_threads(1)
    Daemon(Home(home), address, NAME).run()


def _undisturbed(book: Guessbook, nursery: _Nursery, folder: Path, model: Path) -> tuple[Version, float]:
    """The version of a run that nobody disturbs, and how long it takes in seconds from the lease."""
    job = _submit(book, folder, model)
    nursery.let_end(book, job)
    begun, ended = (_events(book, job, kind)[0].recorded_at_us for kind in ("job_leased", "job_completed"))
    return _version(book, job), (ended - begun) / 1e6


def _submit(book: Guessbook, folder: Path, model: Path) -> str:
    data = folder / "sums.jsonl"
    rows = [
        {"question": f"What is {i}+{i}{'?' * (1 + i % 4)}", "answer": str(2 * i) * (1 + i % 3)} for i in range(EXAMPLES)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TrainingConfig(
        base_model=str(model),
        from_version="base",  # and not the version of the run before
        learning_rate=1e-2,
        max_steps=STEPS,
        per_device_train_batch_size=3,
        gradient_accumulation_steps=2,
        max_length=64,
        lora_r=4,
        lora_alpha=8,
        lora_dropout=0.1,
        lr_scheduler_type="cosine",
        warmup_ratio=0.2,
        weight_decay=0.1,
        max_grad_norm=0.3,
        seed=7,
        save_steps=3,
        snapshot_steps=[5, 9],
        max_new_tokens=4,
    )
    return book.submit(data, config=config).job.id


def _damage_some(home: Home, book: Guessbook, job: str, dice: random.Random) -> None:
    """After two kills of three the newest checkpoint is damaged: the one before is to take its place."""
    run = next(one.run for one in book.jobs().jobs if one.id == job)
    checkpoints = sorted(
        (home.checkpoints / run).glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2])
    )
    files = sorted(path for path in checkpoints[-1].iterdir() if path.stat().st_size) if checkpoints else []
    if not files or dice.random() < 1 / 3:
        return
    newest = checkpoints[-1]
    damage, file = dice.choice(DAMAGES), dice.choice(files)
    if damage == "no marker":
        (newest / "complete.json").unlink(missing_ok=True)
    elif damage == "file gone":
        file.unlink()
    elif damage == "file cut":
        file.write_bytes(file.read_bytes()[: dice.randrange(file.stat().st_size)])
    elif damage == "bit turned":
        content = bytearray(file.read_bytes())
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        file.write_bytes(content)
    else:
        half = newest.with_name(f"checkpoint-{int(newest.name.rpartition('-')[2]) + 1}")
        shutil.copytree(
            newest, half, ignore=lambda _, names: {"complete.json", *sorted(names)[::2]}, dirs_exist_ok=True
        )


def _differences(book: Guessbook, reference: Version, version: Version) -> list[str]:
    """What of a run isn't as in the undisturbed one."""
    files = [{file.path: file.sha256 for file in one.files} for one in (reference, version)]
    found = [] if files[0] == files[1] else [f"{version.run}: its adapter differs from that of {reference.run}"]
    curves = [book.steps(run) for run in (reference.run, version.run)]
    for column in ("step", "loss", "grad_norm", "learning_rate"):
        if list(getattr(curves[0], column)) != list(getattr(curves[1], column)):
            found.append(f"{version.run}: {column} differs from {reference.run}")
    runs = [book.run(run) for run in (reference.run, version.run)]
    snapshots = [[(one.step, one.complete, one.correct, one.mean_loss) for one in run.snapshots] for run in runs]
    if snapshots[0] != snapshots[1]:
        found.append(f"{version.run}: its snapshots differ from those of {reference.run}: {snapshots}")
    if any(
        later.position <= earlier.position for earlier, later in pairwise(book.read(subjects=[f"run/{version.run}"]))
    ):
        found.append(f"{version.run}: its events are out of order")
    return found


def _version(book: Guessbook, job: str) -> Version:
    (version,) = [one for one in book.versions().versions if one.job == job]
    return version


def _events(book: Guessbook, job: str, kind: str) -> list[Event]:
    return [event for event in book.read(subjects=[f"job/{job}"]) if event.WhichOneof("body") == kind]


def _wait(book: Guessbook, job: str, kinds: tuple[str, ...], from_position: int) -> None:
    """Until the job has one of these events."""
    late = threading.Event()
    timer = threading.Timer(PATIENCE_S, late.set)
    timer.start()
    try:
        for event in _follow(book, job, from_position, late):
            if event.WhichOneof("body") in kinds:
                return
    finally:
        timer.cancel()
    raise AssertionError(f"{job} had none of {', '.join(kinds)} for {PATIENCE_S:.0f} s")


def _follow(book: Guessbook, job: str, from_position: int, late: threading.Event) -> Iterator[Event]:
    position = from_position
    while not late.is_set():
        for event in book.read(position, subjects=[f"job/{job}"]):
            yield event
            position = event.position + 1
        late.wait(0.02)
