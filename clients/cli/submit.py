"""`guessbook submit FILE`. Every option that has the name of a `TrainingConfig` field sets that field."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from guessbook.clients.cli import job_view
from guessbook.clients.cli.following import Follower, failure, job_of
from guessbook.clients.cli.options import AsJson, Priority
from guessbook.clients.cli.output import as_document, out, print_json, waiting
from guessbook.clients.cli.parts import check_folder
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid, Rejected
from guessbook.proto import control_pb2, events_pb2
from guessbook.store.home import Home

MODEL, LORA, OPTIMIZER, SNAPSHOTS = "Model", "LoRA", "Optimizer", "Snapshots and checkpoints"


def _option(panel: str, help: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=help, rich_help_panel=panel, show_default=False)
    return option


_MODEL = typer.Option(
    "--base-model", "--model", help="A Hugging Face id, a local folder or a .gguf file.", rich_help_panel=MODEL
)


def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file, one example a line.")],
    name: Annotated[str, typer.Option(help="What to call the job; the file's name by default.")] = "",
    priority: Annotated[Priority, typer.Option(help="What runs first.")] = Priority.NORMAL,
    skip_bad_lines: Annotated[bool, typer.Option("--skip-bad-lines", help="Leave out what can't be read.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is detected; record nothing.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and watch until the job is over.")] = False,
    base_model: Annotated[str | None, _MODEL] = None,
    dtype: Annotated[str | None, _option(MODEL, "float32 or bfloat16.")] = None,
    max_length: Annotated[int | None, _option(MODEL, "Tokens per example; the rest is cut.")] = None,
    learning_rate: Annotated[float | None, _option(OPTIMIZER, "Peak learning rate.")] = None,
    num_train_epochs: Annotated[float | None, _option(OPTIMIZER, "How often to go through the data.")] = None,
    max_steps: Annotated[int | None, _option(OPTIMIZER, "Optimizer steps, instead of epochs.")] = None,
    per_device_train_batch_size: Annotated[int | None, _option(OPTIMIZER, "Examples per forward pass.")] = None,
    gradient_accumulation_steps: Annotated[int | None, _option(OPTIMIZER, "Forward passes per step.")] = None,
    lr_scheduler_type: Annotated[str | None, _option(OPTIMIZER, "linear, cosine, constant …")] = None,
    warmup_ratio: Annotated[float | None, _option(OPTIMIZER, "Share of the steps to warm up, 0 to 1.")] = None,
    weight_decay: Annotated[float | None, _option(OPTIMIZER, "Of AdamW.")] = None,
    max_grad_norm: Annotated[float | None, _option(OPTIMIZER, "Gradients are clipped to this norm.")] = None,
    seed: Annotated[int | None, _option(OPTIMIZER, "Of the order of the data and of dropout.")] = None,
    lora_r: Annotated[int | None, _option(LORA, "Rank of the adapter.")] = None,
    lora_alpha: Annotated[int | None, _option(LORA, "Scale of the adapter.")] = None,
    lora_dropout: Annotated[float | None, _option(LORA, "Dropout in the adapter, 0 to 1.")] = None,
    lora_target_modules: Annotated[list[str] | None, _option(LORA, "A module's name; may be repeated.")] = None,
    snapshots: Annotated[bool | None, _option(SNAPSHOTS, "Whether to take snapshots at all.")] = None,
    snapshot_steps: Annotated[list[int] | None, _option(SNAPSHOTS, "A step; may be repeated.")] = None,
    tracked_examples: Annotated[int | None, _option(SNAPSHOTS, "How many examples to observe; 0: all.")] = None,
    max_new_tokens: Annotated[int | None, _option(SNAPSHOTS, "Longest guess, in tokens.")] = None,
    save_steps: Annotated[int | None, _option(SNAPSHOTS, "A checkpoint every so many steps.")] = None,
    as_json: AsJson = False,
) -> None:
    """Queue a dataset file for training. Shows what was detected in it, and the first rows.

    Example: guessbook submit facts.jsonl --learning-rate 5e-4 --max-steps 50 --follow
    """
    config, level = chosen(context.params), priority.number()
    title = called(name, file)
    with Guessbook() as book:
        check_folder(book, Home.default())
        with waiting(f"reading {title} …"):
            answer = book.submit(
                file, name=title, priority=level, config=config, skip_bad_lines=skip_bad_lines, dry_run=dry_run
            )
        tell(book, answer, follow and answer.HasField("job"), as_json)
    if answer.rejected:
        raise Rejected(f"{file} was not queued")  # the report says why, and what to do


def called(name: str, file: Path) -> str:
    """The job's name: as it was given, else the file's. Raises `Invalid` if what was given is no text."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"--name can't be {name!r}: it is not UTF-8", "Give it another name.") from error
    return name or os.fsencode(file.name).decode(errors="replace")


def chosen(options: dict[str, Any]) -> events_pb2.TrainingConfig:
    """The config with the fields whose options were given; the server completes it."""
    config = events_pb2.TrainingConfig()
    for field in events_pb2.TrainingConfig.DESCRIPTOR.fields:
        value = options.get(field.name)
        if value in (None, [], ()):
            continue
        try:
            config.MergeFrom(events_pb2.TrainingConfig(**{field.name: value}))
        except ValueError as error:  # a number that the field has no room for, or bytes that are no text
            option = f"--{field.name.replace('_', '-')}"
            raise Invalid(
                f"{option} can't be {value!r}", f"guessbook submit --help says what {option} takes."
            ) from error
    if config.base_model and Path(config.base_model).exists():
        config.base_model = str(Path(config.base_model).absolute())  # the trainer runs in another folder
    return config


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
