"""Attack: the power goes, at every moment that matters, and the disk keeps any part of what was not synced.

A program's writes are recorded once. From them images are built of what a disk may hold; each is opened as a log, in a process of its own, and must hold all that the
program had been told was durable by then, each batch whole and once. Then it must go on: a batch that is sent again gets its first answer.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from durability import strace
from durability.inspection import REFUSALS, apart, inspect
from durability.ledger import Result, batch
from durability.power_writer import PRODUCERS
from durability.recorded_writes import CALLS, OPTIONS, replay

from guessbook.store.log import Append, Log, Receipt

BATCHES = 60
TORN = 0.3
CHUNK = 25  # images that share a process
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Image:
    names: tuple[str, ...]  # what its folder may be called; one of them
    data: bytes
    positions: dict[tuple[str, int], int]


def attack(folder: Path, rounds: int, seed: int, *, options: tuple[str, ...] = ()) -> Result:
    """About `rounds` images, spread evenly over the recording."""
    folder.mkdir(parents=True, exist_ok=True)
    trace = record(folder, options)
    moments = sum(1 for _ in replay(trace, "data.mdb"))
    dice = random.Random(seed)
    result = Result("power cut, from recorded writes")
    chunk: list[Image] = []
    for image in _images(trace, dice, rounds / moments):
        result.rounds += 1
        chunk.append(image)
        if len(chunk) == CHUNK:
            _check_chunk(folder, chunk, result)
            chunk = []
        result.acknowledged = max(result.acknowledged, sum(len(batch(*key)) for key in image.positions))
    _check_chunk(folder, chunk, result)
    return result


def record(folder: Path, options: tuple[str, ...] = ()) -> Path:
    trace = folder / "trace"
    command = [*strace.command(trace, CALLS, options=OPTIONS), sys.executable, "-m", "durability.power_writer"]
    command += [str(folder / "log"), str(BATCHES), *options]
    subprocess.run(command, check=True, cwd=TESTS, stdout=subprocess.PIPE, timeout=120)
    return trace


def _images(trace: Path, dice: random.Random, a_moment: float) -> Iterator[Image]:
    """Before each sync: many; where nothing is pending there is only one."""
    seen = b""
    for disk in replay(trace, "data.mdb"):
        names = tuple(sorted(disk.durable_names))
        positions = _positions(disk.acknowledged)
        count = 0 if disk.durable == seen and not disk.pending else 1
        if disk.pending:
            count = int(3 * a_moment + dice.random())
        seen = disk.durable
        for _ in range(count):
            yield Image(names, disk.image(dice, TORN), positions)


def _positions(lines: list[str]) -> dict[tuple[str, int], int]:
    rows = [line.split() for line in lines]
    return {(name, int(sequence)): int(first_position) for _, name, sequence, first_position in rows}


def _check_chunk(folder: Path, chunk: list[Image], result: Result) -> None:
    found = apart(check, folder / "image", chunk)
    if found is None:  # which of them was it?
        for image in chunk:
            alone = apart(check, folder / "image", [image])
            result.add(alone or Result("", corrupt=1))
    else:
        result.add(found)


def check(folder: Path, images: list[Image]) -> Result:
    """Lays images out and opens them. An image without a name is a log that was not there yet."""
    total = Result("")
    for image in images:
        for name in image.names:
            log = folder / Path(name).name
            log.mkdir(parents=True, exist_ok=True)
            (log / "data.mdb").write_bytes(image.data)
            (log / "lock.mdb").unlink(missing_ok=True)
            if log.name == "log":
                found = inspect(log, image.positions)
                found.corrupt += _goes_on(log, image.positions)
                total.add(found)
    return total


def _goes_on(folder: Path, positions: dict[tuple[str, int], int]) -> int:
    """How many answers are wrong when each producer sends its last batch again, and one more."""
    wrong = 0
    try:
        log = Log(folder)
    except REFUSALS:
        return 1
    for name in PRODUCERS:
        last = max((sequence for producer, sequence in positions if producer == name), default=0)
        epoch = log.join(name, 0).epoch
        appends = [
            Append(batch(name, sequence), "a", producer=name, epoch=epoch, sequence=sequence)
            for sequence in (last, last + 1, last + 2)
            if sequence
        ]
        answers = log.commit(appends, 1)[0]
        wrong += sum(not isinstance(answer, Receipt) for answer in answers)
        if last and isinstance(answers[0], Receipt):
            wrong += not answers[0].duplicate or answers[0].first_position != positions[name, last]
    log.close()
    return wrong + inspect(folder, positions).corrupt
