"""`make bench-control`: how soon a command has its effect, from the call to the moment at which whoever asked reads the trainer's answer in the log.

A server and a trainer as processes of their own, a tiny model. While it trains: skip, snapshot, pause, stop, in turn. A step that is under way is finished
first, so of each answer's time the median step's is taken off. An answer to a pause or a stop comes when the checkpoint is written and read back and the model
let go of. While it is idle: resume and submit, to the lease. Figures go to standard error; the last line of standard output is one JSON object.
"""

import argparse
import json
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from e2e.processes import TrainerProcess
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto.control_pb2 import CommandResponse
from guessbook.proto.events_pb2 import Event, TrainingConfig

COMMANDS = 200  # to a trainer at work
PATIENCE_S = 60.0
SETTLE_STEPS = 3  # between two commands, so that each finds the trainer in the middle of its work
EXAMPLES = 64
SAMPLE_STEPS = 50

Command = Callable[[str], CommandResponse]


class Arrivals:
    """The log's events as they arrive at a client, each with the moment at which it did."""

    def __init__(self, book: Guessbook) -> None:
        self._book = book
        self._arrived: queue.Queue[tuple[float, Event]] = queue.Queue()
        self._from = book.head().position + 1
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for batch in self._book.subscribe(self._from):
            for event in batch.events:
                self._arrived.put((time.perf_counter(), event))

    def until(self, body: str, count: int = 1) -> tuple[float, Event]:
        """The moment at which the next event of that kind arrives, or the `count`-th. Raises if a job failed meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            moment, event = self._arrived.get(timeout=max(0.01, deadline - time.monotonic()))
            kind = event.WhichOneof("body")
            if kind == "job_failed":
                raise GuessbookError(event.job_failed.error, event.job_failed.hint)
            if kind == body:
                count -= 1
                if not count:
                    return moment, event

    def forget(self) -> None:
        """What has arrived up to now is not looked at."""
        while not self._arrived.empty():
            self._arrived.get_nowait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS, help="so many to a trainer at work")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="guessbook-bench-") as name:
        folder = Path(name)
        model = make_tiny_model(folder / "model")
        with (
            ServerProcess(folder / "home") as server,
            server.client() as book,
            server.client() as watching,
        ):
            arrivals = Arrivals(watching)
            with TrainerProcess(server.home.root, server.address, "box"):
                result = _measure(book, arrivals, folder, model, asked.commands)
    print(json.dumps(result))
    return 0


def _measure(book: Guessbook, arrivals: Arrivals, folder: Path, model: Path, commands: int) -> dict[str, float]:
    data = folder / "sums.jsonl"
    data.write_text(
        "".join(json.dumps({"question": f"{i}+{i}?", "answer": str(2 * i)}) + "\n" for i in range(EXAMPLES))
    )
    config = TrainingConfig(
        base_model=str(model),
        max_steps=1_000_000,
        save_steps=1_000_000,
        snapshot_steps=[1_000_000],
        tracked_examples=4,
        max_new_tokens=4,
        per_device_train_batch_size=8,
        lora_dropout=0.1,
    )
    arrivals.until("trainer_connected")
    job = book.submit(data, config=config).job.id
    arrivals.until("step_completed", 20)
    step_s = _step_seconds(arrivals)
    _say(f"ms a step takes, the median of {SAMPLE_STEPS}", 1000 * step_s)
    turns: list[tuple[str, Command, str]] = [
        ("skip", book.skip, "batch_skipped"),
        ("snapshot", book.snapshot, "snapshot_started"),
        ("pause", book.pause, "job_paused"),
        ("skip", book.skip, "batch_skipped"),
        ("stop", book.stop, "job_stopped"),
    ]
    took: dict[str, list[float]] = {name: [] for name in ("skip", "snapshot", "pause", "stop", "resume")}
    for number in range(commands):
        name, command, answer = turns[number % len(turns)]
        arrivals.forget()
        arrivals.until("step_completed", SETTLE_STEPS)
        took[name].append(_seconds(arrivals, command, job, answer))
        if name in ("pause", "stop"):
            took["resume"].append(_seconds(arrivals, book.resume, job, "job_leased"))
            arrivals.until("job_resumed")
    book.cancel(job)
    arrivals.until("job_cancelled")
    took["submit"] = _submits(book, arrivals, data, config, commands // 10)
    for name, seconds in took.items():
        _say(f"ms until {name} had its effect, p95 of {len(seconds)}", 1000 * _p95(seconds))
    idle = took.pop("resume") + took.pop("submit")
    beyond = [seconds - step_s for kind in took.values() for seconds in kind]
    return {
        "training_ms_p95_beyond_step": round(1000 * _p95(beyond), 1),
        "idle_ms_p95": round(1000 * _p95(idle), 1),
        "training_ms_p50_beyond_step": round(1000 * statistics.median(beyond), 1),
        "idle_ms_p50": round(1000 * statistics.median(idle), 1),
        "step_ms": round(1000 * step_s, 1),
        "commands": len(beyond),
    }


def _step_seconds(arrivals: Arrivals) -> float:
    """The median time between two steps, by the trainer's own clock."""
    at = [arrivals.until("step_completed")[1].occurred_at_us / 1e6 for _ in range(SAMPLE_STEPS + 1)]
    return statistics.median(later - earlier for earlier, later in pairwise(at))


def _submits(book: Guessbook, arrivals: Arrivals, data: Path, config: TrainingConfig, count: int) -> list[float]:
    """Seconds from a submit's answer to the lease, each on an idle trainer."""
    took = []
    config.max_steps = 1
    config.snapshots = False
    for _ in range(count):
        arrivals.forget()
        took.append(_seconds(arrivals, lambda _: _submitted(book, data, config), "", "job_leased"))
        arrivals.until("job_completed")
        arrivals.until("report_created")
    return took


def _submitted(book: Guessbook, data: Path, config: TrainingConfig) -> CommandResponse:
    return CommandResponse(job=book.submit(data, config=config).job)


def _seconds(arrivals: Arrivals, command: Command, job: str, answer: str) -> float:
    arrivals.forget()
    begin = time.perf_counter()
    command(job)
    return arrivals.until(answer)[0] - begin


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _say(what: str, value: float) -> None:
    print(f"{value:10.1f}  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
