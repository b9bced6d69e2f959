"""Requests to a running job and the trainer's answers to them. Knows no verb; the verbs name the request."""

import time
from collections.abc import Callable

import typer

from guessbook.clients.cli.following import failure
from guessbook.clients.cli.output import as_document, out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto import control_pb2, events_pb2, history_pb2

DEFAULT_TIMEOUT_S = 600.0
_OVER = {
    "job_completed",
    "job_failed",
    "job_interrupted",
    "job_cancelled",
}  # the job ended before, or instead of, answering
PAUSE_ANSWERS = {"job_paused"} | _OVER
RESUME_ANSWERS = {"job_started", "job_resumed", "job_failed", "job_cancelled"}
STOP_ANSWERS = {"job_stopped"} | _OVER
SNAPSHOT_ANSWERS = {"snapshot_completed", "snapshot_failed"} | _OVER
SKIP_ANSWERS = {"batch_skipped"} | _OVER
CANCEL_ANSWERS = _OVER - {"job_interrupted"}  # the server cancels a job whose trainer was lost

Command = Callable[[Guessbook], control_pb2.CommandResponse]


def steer(command: Command, answers: set[str], *, wait: bool, timeout: float, as_json: bool) -> None:
    """Sends a command, waits for one of the `answers` and says what happened.

    Raises `GuessbookError` when the answer is a failure, or none came in `timeout` seconds.
    """
    with Guessbook() as book:
        response = command(book)
        if not as_json:
            out.print(response.message, markup=False)
        answer = None
        if wait and _awaited(response):
            with waiting("waiting for the trainer's answer …"):
                answer = _answer(book, response, answers, timeout)
    if as_json:
        print_json({**as_document(response), "answer": as_document(answer) if answer else None})
    elif answer:
        out.print(sentence(answer), markup=False)
    if answer and answer.WhichOneof("body") in ("job_failed", "snapshot_failed"):
        raise typer.Exit(1)


def tell(response: control_pb2.CommandResponse, as_json: bool) -> None:
    """Says what a command did that no trainer has to answer."""
    if as_json:
        print_json(as_document(response))
    else:
        out.print(response.message, markup=False)


def _awaited(response: control_pb2.CommandResponse) -> bool:
    """Whether an answer is still to come. A job that waited is cancelled at once."""
    if response.job.state == history_pb2.JOB_STATE_CANCELLED:
        return False
    return bool(response.position or response.job.pending_position)


def _answer(
    book: Guessbook, response: control_pb2.CommandResponse, answers: set[str], timeout: float
) -> events_pb2.Event:
    deadline = time.monotonic() + timeout
    subjects = [f"job/{response.job.id}"] + ([f"run/{response.job.run}"] if response.job.run else [])
    started = False  # a snapshot that began before the request is no answer to it
    asked = response.position or response.job.pending_position  # the latter when it was asked before

    def check_time(error: GuessbookError | None = None) -> None:
        if time.monotonic() > deadline:
            raise GuessbookError(
                f"no answer from the trainer within {timeout:g} s",
                "The request is recorded and stays. `guessbook status` shows what became of it.",
            )

    for batch in book.subscribe(asked + 1, subjects, on_lost=check_time):
        for event in batch.events:
            body = event.WhichOneof("body") or ""
            started = started or body == "snapshot_started"
            if body in answers and (started or event.causation == asked or not body.startswith("snapshot_")):
                return event
        check_time()
    raise AssertionError("a subscription never ends")


def sentence(event: events_pb2.Event) -> str:
    """What an answer means, for a person."""
    match event.WhichOneof("body"):
        case "job_paused":
            return f"paused after step {event.job_paused.step}: the checkpoint is saved. `guessbook resume` goes on"
        case "job_stopped":
            return f"stopped after step {event.job_stopped.step}: the checkpoint is saved, the job is back in the queue"
        case "job_started":
            return f"training has begun: run {event.job_started.run}"
        case "job_resumed":
            return f"training goes on after step {event.job_resumed.step}"
        case "batch_skipped":
            left_out = event.batch_skipped
            return f"step {left_out.step} made no update: its {len(left_out.example_index)} examples were left out"
        case "job_cancelled":
            return f"cancelled after step {event.job_cancelled.step}: what it has trained is kept"
        case "snapshot_completed":
            done = event.snapshot_completed
            return (
                f"snapshot at step {done.step}: right {done.correct} of {done.examples}, mean loss {done.mean_loss:.2f}"
            )
        case "snapshot_failed":
            return f"the snapshot at step {event.snapshot_failed.step} failed: {event.snapshot_failed.error}"
        case "job_completed":
            return f"the job was completed at step {event.job_completed.step}, before it came to that"
        case "job_interrupted":
            return "the trainer was lost before it came to that; the next trainer goes on from the last checkpoint"
        case "job_failed":
            return str(failure(event))
        case other:
            raise ValueError(f"{other} is no answer to a request")
