"""The options that set a field of a job's training config, each by the field's name. Knows no server and no verb."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from guessbook.clients.errors import Invalid
from guessbook.proto import events_pb2

MODEL, LORA, OPTIMIZER = "Model", "LoRA", "Optimizer"
SNAPSHOTS, ELSEWHERE = "Snapshots and checkpoints", "Elsewhere"

# Field, its type, where it stands in the help, what it means.
_OPTIONS: tuple[tuple[str, Any, str, str], ...] = (
    ("base_model", str, MODEL, "A Hugging Face id, a local folder or a .gguf file."),
    (
        "from_version",
        str,
        MODEL,
        "Train this version on: its name, its number, latest (the default), or base for none.",
    ),
    ("dtype", str, MODEL, "float32 or bfloat16."),
    ("load_in_4bit", bool, MODEL, "The base's weights in 4 bits (NF4); needs a GPU and bitsandbytes."),
    ("max_length", int, MODEL, "Tokens per example; the rest is cut."),
    ("learning_rate", float, OPTIMIZER, "Peak learning rate."),
    ("num_train_epochs", float, OPTIMIZER, "How often to go through the data."),
    ("max_steps", int, OPTIMIZER, "Optimizer steps, instead of epochs."),
    ("per_device_train_batch_size", int, OPTIMIZER, "Examples per forward pass."),
    ("gradient_accumulation_steps", int, OPTIMIZER, "Forward passes per step."),
    ("auto_find_batch_size", bool, OPTIMIZER, "Out of memory: go on at half the batch instead of failing."),
    ("lr_scheduler_type", str, OPTIMIZER, "linear, cosine, constant …"),
    ("warmup_ratio", float, OPTIMIZER, "Share of the steps to warm up, 0 to 1."),
    ("weight_decay", float, OPTIMIZER, "Of AdamW."),
    ("max_grad_norm", float, OPTIMIZER, "Gradients are clipped to this norm."),
    ("seed", int, OPTIMIZER, "Of the order of the data, of dropout and of samples."),
    ("lora_r", int, LORA, "Rank of the adapter."),
    ("lora_alpha", int, LORA, "Scale of the adapter."),
    ("lora_dropout", float, LORA, "Dropout in the adapter, 0 to 1."),
    ("lora_target_modules", list[str], LORA, "A module's name; may be repeated."),
    ("snapshots", bool, SNAPSHOTS, "Whether to take snapshots at all."),
    ("snapshot_steps", list[int], SNAPSHOTS, "A step; may be repeated. 0 and the end always have one."),
    ("snapshot_budget_percent", float, SNAPSHOTS, "Make fewer guesses to stay within this share of the training time."),
    ("snapshot_budget_seconds", float, SNAPSHOTS, "Make fewer guesses to stay within this time for the whole run."),
    ("tracked_examples", int, SNAPSHOTS, "How many examples to observe, in the categories' proportions; 0: all."),
    ("tracked_ids", list[str], SNAPSHOTS, "The id of an example to observe; may be repeated."),
    ("held_out", Path, SNAPSHOTS, "A file of examples to observe and never train on."),
    ("scorer", str, SNAPSHOTS, "When a guess is right: match, number, contains, or an installed scorer."),
    ("learned_loss", float, SNAPSHOTS, "Plain text is learned when its loss is under this."),
    ("max_new_tokens", int, SNAPSHOTS, "Longest guess, in tokens."),
    ("save_steps", int, SNAPSHOTS, "A checkpoint every so many steps."),
    ("num_processes", int, ELSEWHERE, "Processes that train together, one a device (torchrun)."),
    ("report_to", list[str], ELSEWHERE, "Also send scalars to tensorboard, wandb, mlflow, trackio; may be repeated."),
)
_ALSO_CALLED = {"base_model": ("--base-model", "--model"), "from_version": ("--from",)}


def with_training_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with all these options besides its own; it finds what was given in its context, with `chosen`."""
    parameters = [_parameter(*option) for option in _OPTIONS]
    names = {parameter.name for parameter in parameters}

    @wraps(verb)
    def run(**given: Any) -> None:
        verb(**{name: value for name, value in given.items() if name not in names})

    own = list(signature(verb).parameters.values())
    run.__signature__ = signature(verb).replace(parameters=[*own, *parameters])  # type: ignore[attr-defined]
    run.__annotations__ = verb.__annotations__ | {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameter(name: str, kind: Any, panel: str, help: str) -> Parameter:
    option = typer.Option(*_ALSO_CALLED.get(name, ()), help=help, rich_help_panel=panel, show_default=False)
    annotation = Annotated[kind | None, option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def chosen(options: dict[str, Any], under: events_pb2.TrainingConfig | None = None) -> events_pb2.TrainingConfig:
    """The config with the fields whose options were given over what lies under them; the server completes it.

    A file isn't in it: it is uploaded first.
    """
    config = events_pb2.TrainingConfig()
    config.MergeFrom(under or config)
    for field in events_pb2.TrainingConfig.DESCRIPTOR.fields:
        value = options.get(field.name)
        if value in (None, [], ()) or isinstance(value, Path):
            continue
        try:
            config.ClearField(field.name)  # type: ignore[arg-type]
            config.MergeFrom(events_pb2.TrainingConfig(**{field.name: value}))
        except ValueError as error:  # a number that the field has no room for, or bytes that are no text
            option = f"--{field.name.replace('_', '-')}"
            raise Invalid(
                f"{option} can't be {value!r}", f"guessbook submit --help says what {option} takes."
            ) from error
    if config.base_model and Path(config.base_model).exists():
        config.base_model = str(Path(config.base_model).absolute())  # the trainer runs in another folder
    return config
