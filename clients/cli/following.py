"""Following a job while it trains: its steps, snapshots and changing guesses, as they come. Knows no verb."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.output import err
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.clients.reading import Answer
from guessbook.clients.visible import visible
from guessbook.proto import events_pb2, history_pb2

CHANGES_SHOWN = 3  # changed guesses printed per snapshot
QUIET_STEPS = 10  # where there is no terminal to draw on, a line every so many steps


class Line:
    """Says once that the server is gone, and once that it is back."""

    def __init__(self) -> None:
        self._lost = False

    def lost(self, error: GuessbookError) -> None:
        if not self._lost:
            err.print(Text(f"{error}; waiting for it (Ctrl-C ends)", style="yellow"))
        self._lost = True

    def stands(self) -> None:
        if self._lost:
            err.print("the server is back")
        self._lost = False


def following(book: Guessbook, position: int, subjects: Sequence[str]) -> Iterator[Answer]:
    """`Guessbook.subscribe`, with a word for the person who waits when the server goes and when it is back."""
    line = Line()
    for answer in book.subscribe(position, subjects, on_lost=line.lost):
        line.stands()
        yield answer


class Follower:
    """Prints what happens to one job on `console`: a bar for the steps on a terminal, lines for the rest."""

    def __init__(self, book: Guessbook, job: str, console: Console = err) -> None:
        self._book = book
        self._job = job
        self._run = ""
        self._stop = events_pb2.StopRequested()  # the last one that was asked for
        self._console = console
        self._guesses: dict[int, str] = {}  # the last one of each example, by its index
        self._changes: list[tuple[bool, int, str, str]] = []  # right now, index, guess before, guess now
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar: TaskID | None = None

    def follow(self, position: int, check: Callable[[], None] = lambda: None) -> events_pb2.Event:
        """Prints until the job is over and returns the event that says so. `check` may raise to give up."""
        answers = following(self._book, position, [f"job/{self._job}", "run/"])
        with self._progress:
            for answer in answers:
                check()
                for event in answer.events:
                    self._show(event)
                    if event.WhichOneof("body") in ("job_completed", "job_failed", "job_cancelled"):
                        return event
        raise AssertionError("a subscription never ends")

    def _show(self, event: events_pb2.Event) -> None:
        body = event.WhichOneof("body")
        if event.subject == f"job/{self._job}":
            if body == "job_leased":
                self._run = event.job_leased.run
                self._say(f"a trainer took the job: run {self._run}")
            else:
                self._show_job(event)
        elif event.subject == f"run/{self._run}":
            if body == "run_started":
                self._start(event.run_started)
            elif body == "step_completed":
                self._step(event.step_completed)
            elif body == "snapshot_thinned":
                self._say(f"step {event.snapshot_thinned.step}: {event.snapshot_thinned.reason}", "yellow")
            elif body == "snapshot_completed":
                self._observe(event.snapshot_completed.step, event.position)
                self._snapshot(event.snapshot_completed)
            elif body == "snapshot_failed":
                failed = event.snapshot_failed
                self._say(f"step {failed.step}: the snapshot failed: {wording.one_line(failed.error)}", "yellow")

    def _show_job(self, event: events_pb2.Event) -> None:
        if event.HasField("job_paused"):
            self._say(f"paused after step {event.job_paused.step}; `guessbook resume` goes on", "yellow")
        elif event.HasField("stop_requested"):
            self._stop = event.stop_requested
        elif event.HasField("job_stopped"):
            room = f" to make room for {self._stop.preempted_by}" if self._stop.preempted_by else ""
            then = "it goes on by itself" if self._stop.keep_place else "`guessbook resume` goes on"
            self._say(f"stopped after step {event.job_stopped.step}{room}; {then}", "yellow")
        elif event.HasField("batch_skipped"):
            left_out = event.batch_skipped
            self._say(
                f"step {left_out.step}: no update, {len(left_out.example_index)} examples were left out", "yellow"
            )
        elif event.HasField("batch_size_reduced"):
            smaller = event.batch_size_reduced
            self._say(f"out of memory: goes on with {smaller.per_device_train_batch_size} examples a batch", "yellow")
        elif event.HasField("job_interrupted"):
            self._say(f"interrupted: {event.job_interrupted.reason}; the next trainer takes it up again", "yellow")
        elif event.HasField("job_resumed"):
            self._say(f"goes on after step {event.job_resumed.step}")

    def _start(self, started: events_pb2.RunStarted) -> None:
        trained = f"{started.trainable_parameters / 1e6:.1f} M of {started.parameters / 1e6:.0f} M parameters"
        self._say(f"{started.examples} examples, {started.total_steps} steps on {started.device}, training {trained}")
        self._bar = self._progress.add_task("", total=started.total_steps, loss=float("nan"))

    def _step(self, step: events_pb2.StepCompleted) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=step.step, loss=step.loss)
        if not self._console.is_terminal and step.step % QUIET_STEPS == 0:
            self._say(f"step {step.step}: loss {step.loss:.3f}")

    def _observe(self, step: int, position: int) -> None:
        """Asks the server for a snapshot's guesses: its events tell them by what they have of the ones before."""
        for part in self._book.observations(self._run, history_pb2.At(position=position), steps=[step]):
            for index, seen in zip(part.example_index, part.observations, strict=True):
                before, now = self._guesses.get(index), seen.guess
                self._guesses[index] = now
                if before is None or before != now:
                    change = (seen.correct, index, wording.one_line(before or ""), wording.one_line(now))
                    self._changes.append(change)

    def _snapshot(self, snapshot: events_pb2.SnapshotCompleted) -> None:
        facts = f"right {snapshot.correct} of {snapshot.examples}, mean loss {snapshot.mean_loss:.2f}"
        if snapshot.held_out:
            facts += f"; held out {snapshot.held_out_correct} of {snapshot.held_out}, {snapshot.held_out_loss:.2f}"
        self._say(f"step {snapshot.step}: {facts}", "bold")
        changes = sorted(self._changes, key=lambda change: not change[0])  # those that became right first
        for correct, index, before, now in changes[:CHANGES_SHOWN]:
            prompt = wording.one_line(self._book.trajectory(self._run, f"#{index}").example.prompt)
            third = max(self._console.width // 3 - 5, 10)
            line = Text("  ") + wording.mark(correct) + Text(f" {wording.shortened(prompt, third)}")
            was = f'"{wording.shortened(before, third)}" → ' if before else ""
            self._console.print(line + Text(f'  {was}"{wording.shortened(now, third)}"', style="bright_black"))
        self._changes.clear()

    def _say(self, message: str, style: str = "") -> None:
        self._console.print(Text(message, style=style))


def job_of(book: Guessbook, event: events_pb2.Event) -> history_pb2.Job:
    """The job that an event of a job is about, as it was right after it."""
    jobs = book.jobs(history_pb2.At(position=event.position)).jobs
    return next(job for job in jobs if event.subject == f"job/{job.id}")


def failure(event: events_pb2.Event) -> GuessbookError | None:
    """The error in a `JobFailed`, and a `JobCancelled` as one; None for any other event."""
    if event.HasField("job_cancelled"):
        return GuessbookError(
            f"the job was cancelled at step {event.job_cancelled.step}", "What it has trained is kept."
        )
    if not event.HasField("job_failed"):
        return None
    failed = event.job_failed
    return GuessbookError(f"the job failed at step {failed.step}: {visible(failed.error)}", failed.hint)
