"""A job on several processes: this one is rank 0, which records and decides; the others are started here and only compute. Knows processes, not training.

They meet as under torchrun, by what the environment says; transformers does the rest (DistributedDataParallel; gloo on CPUs, NCCL on GPUs).
"""

import base64
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import distributed

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Failure
from guessbook.trainer.errors import ProcessEnded, ProcessFull, UnusableSetting
from guessbook.trainer.failure import HINTS

LOCAL = "127.0.0.1"
FULL_CODE = 12  # what one of the others ends with when the memory is full; the number of ENOMEM
END_S = 30.0  # for the others to end by themselves when the training is over


class Processes:
    """The other processes of a job, for as long as it is trained; none where it has only one. A context.

    Entering waits until they have loaded the model. Leaving ends them; if one of them died before, that is raised in place of what this one failed with.
    Raises UnusableSetting, ProcessEnded.
    """

    def __init__(self, lease: LeaseJobResponse, folder: Path, resumed: Path | None) -> None:
        """`folder`: the data folder. `resumed`: the checkpoint that all of them go on from."""
        self._count = max(1, lease.job.config.num_processes)
        self._task = {
            "lease": base64.b64encode(lease.SerializeToString()).decode(),
            "home": str(folder),
            "resumed": str(resumed) if resumed else "",
        }
        self._others: list[subprocess.Popen[str]] = []
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        if self._count == 1:
            return self
        if torch.cuda.is_available() and torch.cuda.device_count() < self._count:
            raise UnusableSetting(
                f"the job is to train on {self._count} GPUs, and this trainer has {torch.cuda.device_count()}",
                "Start a trainer with more of them (`guessbook trainer --device 0,1`), and submit it again with --devices.",
            )
        meeting = {"MASTER_ADDR": LOCAL, "MASTER_PORT": str(_free_port())}
        meeting |= {"WORLD_SIZE": str(self._count), "LOCAL_WORLD_SIZE": str(self._count)}
        try:
            for rank in range(1, self._count):
                self._others.append(_start(meeting | _rank(rank), self._task))
            for rank in range(1, self._count):
                self._await_ready(rank)
        except BaseException:
            self._end(0.0)
            raise
        here = meeting | _rank(0)
        self._before = {name: os.environ.get(name) for name in here}
        os.environ.update(here)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._count == 1:
            return
        for name, value in self._before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        dead = self._dead() if isinstance(error, RuntimeError) else {}
        self._end(0.0 if error else END_S)
        if distributed.is_initialized():
            distributed.destroy_process_group()
        if dead:
            raise self._ended(dead, f"while the job trained on {self._count}", "The last checkpoint is kept") from error

    def _await_ready(self, rank: int) -> None:
        other = self._others[rank - 1]
        assert other.stdout
        if not other.stdout.readline():
            raise self._ended({rank: other.wait()}, "before it had loaded the model", "Nothing was trained")

    def _dead(self) -> dict[int, int]:
        """Which of the others died, and what they ended with. It may have been only now that they did, so a moment is given."""
        codes = {}
        for rank, other in enumerate(self._others, start=1):
            with suppress(subprocess.TimeoutExpired):
                codes[rank] = other.wait(1.0)
        return codes

    def _ended(self, codes: dict[int, int], when: str, safe: str) -> ProcessEnded:
        """`codes`: by rank. Where one had no memory, the others died of that."""
        for rank, code in codes.items():
            if code == FULL_CODE:
                told = f"process {rank} of {self._count} ran out of memory {when}"
                return ProcessFull(told, f"{safe}. {HINTS[Failure.FAILURE_OUT_OF_MEMORY]}")
        rank, code = next(iter(codes.items()))
        told = f"process {rank} of {self._count} ended with {code} {when}"
        return ProcessEnded(
            told, f"Look for the reason in the trainer's log, and at the memory. {safe}; submit the file again."
        )

    def _end(self, patience_s: float) -> None:
        for other in self._others:
            try:
                other.wait(patience_s)
            except subprocess.TimeoutExpired:
                other.kill()
                other.wait()
            for pipe in (other.stdin, other.stdout):
                if pipe:
                    pipe.close()
        self._others.clear()


def _start(environment: dict[str, str], task: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "guessbook.trainer.follower"]
    other = subprocess.Popen(
        command, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin
    other.stdin.write(json.dumps(task) + "\n")  # and stays open: its end is that of this process
    other.stdin.flush()
    return other


def _rank(rank: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])
