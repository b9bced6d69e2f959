"""`guessbook submit FILE`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli import job_view, preview_view
from guessbook.clients.cli.following import Follower, failure, job_of
from guessbook.clients.cli.options import AsJson, Memory, Preempt, Priority
from guessbook.clients.cli.output import as_document, out, print_json, waiting
from guessbook.clients.cli.parts import check_folder
from guessbook.clients.cli.training_options import chosen, with_training_options
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Invalid, Rejected
from guessbook.clients.preview import Preview, preview
from guessbook.proto import control_pb2
from guessbook.proto.events_pb2 import Needs, TrainingConfig
from guessbook.store.config import BadConfig
from guessbook.store.home import Home
from guessbook.store.job_config import JobConfig, read


@with_training_options
def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file, one example a line.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="YAML", help="A file with the options below; what is given here goes first."),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the job; the file's name by default.")] = "",
    priority: Annotated[Priority | None, typer.Option(help="What runs first.", show_default="normal")] = None,
    preempt: Preempt = False,
    after: Annotated[
        list[str] | None, typer.Option(metavar="JOB", help="Only when this job is completed; may be repeated.")
    ] = None,
    devices: Annotated[int, typer.Option(min=0, help="Only on a trainer with so many devices.")] = 0,
    memory: Memory = 0,
    skip_bad_lines: Annotated[bool, typer.Option("--skip-bad-lines", help="Leave out what can't be read.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is detected; record nothing.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and watch until the job is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queue a dataset file for training. Shows what was detected in it, and the first rows.

    Example: guessbook submit facts.jsonl --learning-rate 5e-4 --max-steps 50 --follow
    """
    told = read_config(config) if config else JobConfig()
    wanted = chosen(context.params, told.config)
    held_out = context.params["held_out"] or (Path(told.held_out) if told.held_out else None)
    needs = Needs(devices=devices or told.needs.devices, memory_bytes=memory or told.needs.memory_bytes)
    title = called(name or told.name, file)
    with Guessbook() as book:
        check_folder(book, Home.default())
        with waiting(f"reading {title} …"):
            answer = book.submit(
                file,
                name=title,
                priority=priority.number() if priority else told.priority,
                config=wanted,
                skip_bad_lines=skip_bad_lines or told.skip_bad_lines,
                dry_run=dry_run,
                held_out=held_out,
                after=after or told.after,
                needs=needs if needs.ByteSize() else None,
                preempt=preempt or told.preempt,
            )
        if dry_run:
            tell_dry(answer, as_tokens(file, answer.config if answer.HasField("config") else wanted), as_json)
        else:
            tell(book, answer, follow and answer.HasField("job"), as_json)
    if answer.rejected:
        raise Rejected(f"{file} was not queued")  # the report says why, and what to do


def read_config(path: Path) -> JobConfig:
    """Raises `Invalid`, which names the file, the line and the key."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8 text: {error}", "Give a YAML file.") from error
    except BadConfig as error:
        raise Invalid(f"{path}: {error}", "Nothing was queued. Mend the file, and submit again.") from error


def called(name: str, file: Path) -> str:
    """The job's name: as it was given, else the file's. Raises `Invalid` if what was given is no text."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"--name can't be {name!r}: it is not UTF-8", "Give it another name.") from error
    return name or os.fsencode(file.name).decode(errors="replace")


def as_tokens(file: Path, config: TrainingConfig) -> Preview | GuessbookError:
    """How the file reaches its base model; or why that can't be told here, which is no reason not to submit it."""
    try:
        with waiting(f"reading it as {config.base_model or 'its base model'} does …"):
            return preview(file, config)
    except GuessbookError as error:
        return error


def tell_dry(answer: control_pb2.SubmitJobResponse, tokens: Preview | GuessbookError, as_json: bool) -> None:
    """Shows what a job would be."""
    if as_json:
        told = {"error": str(tokens), "hint": tokens.hint} if isinstance(tokens, GuessbookError) else tokens
        print_json({**as_document(answer), "end": None, "tokens": told})
        return
    out.print(job_view.submitted(answer))
    out.print()
    out.print(preview_view.missing(tokens) if isinstance(tokens, GuessbookError) else preview_view.rendered(tokens))


def tell(book: Guessbook, answer: control_pb2.SubmitJobResponse, follow: bool, as_json: bool) -> None:
    """Shows the server's answer; follows the queued job to its end if that is wanted, and says how it ended."""
    if not as_json:
        out.print(job_view.submitted(answer))
    end = Follower(book, answer.job.id).follow(answer.job.queued_position) if follow else None
    if as_json:
        print_json({**as_document(answer), "end": as_document(end) if end else None})
    if end is None:
        return
    if error := failure(end):
        raise error
    if not as_json:
        version = job_of(book, end).version
        out.print(f"completed as {version}", style="green", markup=False)
