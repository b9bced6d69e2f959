"""The trainer's process: it leases a job, has it carried out, reports, and waits for the next one.

Knows the way to the server and back. What a job takes is in assignment.py.
"""

import argparse
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

# gRPC and the tokenizers look at these when they are imported: both have threads that do not survive a fork. One process
# trains on one device: with more of them in sight the Trainer would split its batches.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
os.environ.setdefault("TQDM_DISABLE", "1")  # the log is no place for progress bars

import transformers

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Displaced, Fenced, GuessbookError, Invalid, Rejected, SpoolFull, Unreachable
from guessbook.clients.producer import Producer
from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import (
    Event,
    Failure,
    JobCancelled,
    JobCompleted,
    JobPaused,
    JobStopped,
    TrainerConnected,
)
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.store.spool import SpoolInUse
from guessbook.trainer import checkpoint
from guessbook.trainer.assignment import Assignment
from guessbook.trainer.batch_size import reduced
from guessbook.trainer.claim import Claim
from guessbook.trainer.consolidation import Consolidation
from guessbook.trainer.device import device_name, devices, release_memory
from guessbook.trainer.failure import ERROR_LENGTH, failure_of, job_failed
from guessbook.trainer.memory_estimate import TooLarge
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import read_past
from guessbook.trainer.remote_artifacts import RemoteArtifacts
from guessbook.trainer.report import store_report
from guessbook.trainer.subscription import Subscription

POLL_S = 5.0  # a look at the queue even if no event came
RETRY_S = 1.0
REPORT_WAIT_S = 10.0  # for the server to take what the report is about
REFUSED_S = 5.0  # for the server to refuse what tells of a job that is another's
CLOSE_S = 10.0  # for what is still on its way to the server when the process ends

Answer = TypeVar("Answer")
_log = logging.getLogger("guessbook.trainer")


class Leaving(Exception):
    """The process was told to exit while it waited for the server."""


class Daemon:
    """One trainer. `leaving` is set when it is to exit; the job it works on is then saved at the next step."""

    def __init__(self, home: Home, address: str, name: str, *, once: bool = False) -> None:
        self.home = home
        self.address = address
        self.name = name
        self.once = once
        self.leaving = threading.Event()
        self._wake = threading.Event()
        self._book = Guessbook(address, self._token)
        self._producer = self._new_producer()
        self._artifacts = Artifacts(home.artifacts)
        self._claim: Claim | None = None  # on the checkpoints of the run at hand

    def _new_producer(self) -> Producer:
        here = TrainerConnected(device=device_name(), devices=devices(), host=socket.gethostname(), pid=os.getpid())
        return Producer(self.name, self.home.spool / f"{self.name}.sqlite", self.address, here, self._token)

    def _token(self) -> str:
        return self.home.token("trainer")

    def leave(self) -> None:
        self.leaving.set()
        self._wake.set()

    def run(self) -> None:
        """Works until the queue is empty (`once`) or it is told to leave. Raises Fenced if a newer process took its name."""
        try:
            self._artifacts = self._until_answered(self._open_artifacts)
            while self._displaced():
                release_memory()  # the error held the model
                self._producer, self._claim = self._new_producer(), None
        except Leaving:
            _log.info("Told to exit.")
        finally:
            if not self._producer.close(CLOSE_S if self._producer.epoch else 0):
                _log.info("The server did not take everything yet; the rest is kept in %s.", self.home.spool)
            self._book.close()

    def _displaced(self) -> bool:
        """Works until it is told to leave; True: until its job was found to be another trainer's, so that it is to begin anew, with an empty spool."""
        try:
            self._producer.start()
            epoch = self._until_answered(lambda: self._producer.wait_welcome(RETRY_S))
            _log.info("Connected to %s as %s, on %s.", self.address, self.name, device_name())
            self._sweep()  # what a trainer that was killed left there
            head = self._until_answered(lambda: self._book.head().position)
            with Subscription(self.address, ["job/", "queue"], head + 1, lambda event: self._wake.set(), self._token):
                self._work(epoch)
        except Displaced as error:
            _log.warning("%s. %s It goes on with the next job.", error, error.hint)
            self._producer.close(REFUSED_S)
            return True
        return False

    def _work(self, epoch: int) -> None:
        while not self.leaving.is_set():
            self._wake.clear()
            self._until_answered(self._flush)
            head = self._until_answered(lambda: self._book.head().position)
            lease = self._until_answered(lambda: self._book.lease(self.name, epoch))
            if lease.HasField("job"):
                self._claim = Claim(self.home.checkpoints / lease.run, f"{self.name} {epoch}")
                self._carry_out(lease, head)
                self._claim = None
            elif self.once:
                return
            else:
                self._wake.wait(POLL_S)

    def _carry_out(self, lease: LeaseJobResponse, head: int) -> None:
        """Works on one job and answers it, whatever happens to it."""
        job = lease.job
        _log.info("Job %s (%s), run %s.", job.id, lease.dataset_name, lease.run)
        if job.consolidate:
            self._consolidate(lease)
            return
        orders = Orders(job, self.leaving)
        with Subscription(self.address, [f"job/{job.id}"], head + 1, orders.apply, self._token):
            answer = None
            while answer is None:
                answer = self._attempt(lease, orders)
                release_memory()  # before the answer: whoever paused the job has the device from then on
        answer.subject = f"job/{job.id}"
        self._until_answered(lambda: self._producer.record(answer))
        _log.info("Job %s: %s.", job.id, answer.WhichOneof("body"))
        if answer.HasField("job_completed"):
            self._report(lease.run)
            self._sweep()

    def _attempt(self, lease: LeaseJobResponse, orders: Orders) -> Event | None:
        """Works on the job from its last checkpoint on. Returns the answer; None: it goes on from there once more. Raises Leaving."""
        self._until_answered(self._flush)
        assignment = Assignment(
            lease,
            lambda step: self._until_answered(lambda: read_past(self._book, lease.run, step)),
            self.home,
            orders,
            self._producer.record,
            self._check,
            self._artifacts,
            lambda: not self._producer.pending,
        )
        try:
            ending, _ = assignment.carry_out()
        except (Fenced, Leaving):
            raise
        except Exception as error:  # noqa: BLE001  one job's failure is told to its submitter; the next job may be sound
            checkpoint.discard_unfinished(assignment.folder)
            lease.resume_step = assignment.progress.saved
            if self._reduce_batch(error, lease):
                return None
            failed = job_failed(error, assignment.progress.step)
            # Our own errors say all there is to say; of others the way they took is needed.
            known = isinstance(error, GuessbookError)
            _log.error("Job %s failed: %s. %s", lease.job.id, failed.error, failed.hint, exc_info=not known)
            return Event(job_failed=failed)
        lease.resume_step = assignment.progress.saved
        if ending is Ending.COMPLETED:
            return Event(job_completed=JobCompleted(step=assignment.progress.step))
        return self._answer(orders, assignment)

    def _reduce_batch(self, error: Exception, lease: LeaseJobResponse) -> bool:
        """Whether the memory was full and the job goes on with smaller batches, as it allows."""
        config = lease.job.config
        # TooLarge was told of the smallest batches already.
        full = failure_of(error) == Failure.FAILURE_OUT_OF_MEMORY and not isinstance(error, TooLarge)
        body = reduced(config) if full and config.auto_find_batch_size else None
        if body is None:
            return False
        body.step, body.error = lease.resume_step, str(error)[:ERROR_LENGTH]
        config.per_device_train_batch_size = body.per_device_train_batch_size
        config.gradient_accumulation_steps = body.gradient_accumulation_steps
        _log.warning(
            "Job %s is out of memory; it goes on at a batch of %d.", lease.job.id, config.per_device_train_batch_size
        )
        event = Event(subject=f"job/{lease.job.id}", batch_size_reduced=body)
        self._until_answered(lambda: self._producer.record(event))
        return True

    def _consolidate(self, lease: LeaseJobResponse) -> None:
        """Merges a version and answers the job, whatever becomes of it."""
        wanted = lease.job.consolidate
        try:
            listed = self._until_answered(lambda: self._book.versions(deleted=True)).versions
            version = next((one for one in listed if one.name == wanted), None)
            if version is None:
                raise Invalid(f"there is no version {wanted}", "`guessbook versions` lists them.")
            if all(one.run != lease.run for one in listed):  # else it was merged, and only its job was not told so
                Consolidation(lease, version, self.home, self._producer.record, artifacts=self._artifacts).carry_out()
        except (Fenced, Leaving):
            raise
        except Exception as error:  # noqa: BLE001  it is told to whoever asked; the next job may be sound
            failed = job_failed(error, 0)
            _log.error(
                "%s was not merged: %s. %s",
                wanted,
                failed.error,
                failed.hint,
                exc_info=not isinstance(error, GuessbookError),
            )
            answer = Event(job_failed=failed)
        else:
            answer = Event(job_completed=JobCompleted())
        release_memory()
        answer.subject = f"job/{lease.job.id}"
        self._until_answered(lambda: self._producer.record(answer))

    def _report(self, run: str) -> None:
        """Made when the job is completed already: whatever becomes of the report, nothing is trained or stored twice."""
        try:
            if not self._producer.flush(REPORT_WAIT_S):
                raise Unreachable("the server has not taken the end of the run yet")
            self._producer.record(store_report(self._book, self._artifacts, run))
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001  a run without its report is complete all the same
            _log.warning("The report of run %s was not made: %s. `guessbook report %s` makes it.", run, error, run)

    def _answer(self, orders: Orders, assignment: Assignment) -> Event | None:
        """To the last request: another may have come while the checkpoint was written, and it is as good for that. None: it was taken back.

        Raises Leaving if only this trainer ends: the server sees that it is gone, and the next one takes the job up again.
        """
        step, checkpoint = assignment.progress.step, assignment.last_checkpoint
        asked = orders.ending()
        if asked is None:
            return None
        ending, request = asked
        if ending is Ending.PAUSED:
            return Event(causation=request, job_paused=JobPaused(step=step, checkpoint=checkpoint))
        if ending is Ending.STOPPED:
            return Event(causation=request, job_stopped=JobStopped(step=step, checkpoint=checkpoint))
        if ending is Ending.CANCELLED:
            return Event(causation=request, job_cancelled=JobCancelled(step=step, checkpoint=checkpoint))
        _log.info("Job %s is left at step %d.", assignment.lease.job.id, step)
        raise Leaving

    def _sweep(self) -> None:
        """Removes the checkpoints of completed runs. The server's word is durable: their versions are in the log and in the artifacts."""
        try:
            completed = self._book.jobs(states=[JOB_STATE_COMPLETED]).jobs
            checkpoint.remove_runs(self.home.checkpoints, {job.run for job in completed})
        except (Unreachable, OSError) as error:
            _log.warning("Checkpoints of completed runs are still there: %s. They are removed later.", error)

    def _open_artifacts(self) -> Artifacts:
        """The server's own where it has this data folder; of one that lies elsewhere the files come and go over its connection."""
        status = self._book.status()
        log_id = self.home.log_id()  # the same folder may lie at another path for the server
        if (log_id and log_id == status.log_id) or self.home.is_at(status.home):
            return Artifacts(self.home.artifacts)
        _log.info(
            "The server has another data folder, %s: datasets and versions travel, and checkpoints stay in %s.",
            status.home,
            self.home.checkpoints,
        )
        return RemoteArtifacts(self.home.artifacts, self._book, self._until_answered)

    def _check(self) -> None:
        if self._producer.failure:
            raise self._producer.failure
        if self._claim:
            self._claim.check()

    def _flush(self) -> None:
        """What is in the spool may be the end of the very run that is leased next, so the server must know it first."""
        if not self._producer.flush(RETRY_S):
            self._check()
            raise Unreachable(f"the server at {self.address} has not taken everything yet")

    def _until_answered(self, ask: Callable[[], Answer]) -> Answer:
        """Asks until the server answers, and says once that it waits. Raises Leaving when told to exit meanwhile."""
        said = False
        while True:
            self._check()
            try:
                return ask()
            except (Unreachable, Rejected, SpoolFull) as error:
                if not said:
                    _log.warning("%s. Waiting; it is tried again every second. %s", error, error.hint)
                    said = True
                if self.leaving.wait(RETRY_S):
                    raise Leaving from error


def main() -> None:
    parser = argparse.ArgumentParser(prog="guessbook-trainer", description="Takes jobs from the queue and trains them.")
    parser.add_argument("--home", type=Path, default=Home.default().root, help="the data folder; the server's")
    parser.add_argument("--address", help="the server's host:port; default: as the data folder says")
    parser.add_argument(
        "--name", default=socket.gethostname(), help="what the log calls this trainer; default: the host's name"
    )
    parser.add_argument(
        "--device",
        default=os.environ["CUDA_VISIBLE_DEVICES"],
        help="the GPU to train on, as CUDA_VISIBLE_DEVICES has it",
    )
    parser.add_argument("--once", action="store_true", help="exit when the queue is empty")
    options = parser.parse_args()
    if options.device != os.environ["CUDA_VISIBLE_DEVICES"]:  # CUDA looks at it once, when torch is imported
        os.environ["CUDA_VISIBLE_DEVICES"] = options.device
        os.execv(sys.executable, sys.orig_argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    home = Home(options.home.absolute())
    try:
        daemon = Daemon(home, options.address or home.address(), options.name, once=options.once)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave_with(daemon))
        gc.collect()
        gc.freeze()  # what was imported stays; so a model that was let go of is found in milliseconds, and not after all of that
        daemon.run()
    except SpoolInUse as error:
        _log.error("%s. Stop that one, or start this one with another --name.", error)
        raise SystemExit(Fenced.exit_code) from error
    except GuessbookError as error:
        _log.error("%s. %s", error, error.hint)
        raise SystemExit(error.exit_code) from error


def _leave_with(daemon: Daemon) -> Callable[[int, FrameType | None], None]:
    def leave(number: int, frame: FrameType | None) -> None:
        _log.info("Told to exit: the current step is finished and saved. The same signal again ends at once.")
        signal.signal(number, signal.SIG_DFL)
        daemon.leave()

    return leave


if __name__ == "__main__":
    main()
