"""What can be said of a job before it is queued: its fields, and the message they make. Knows no server and no file."""

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from guessbook.clients.errors import Invalid
from guessbook.projections.names import job_state, priority
from guessbook.proto.events_pb2 import PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_URGENT, TrainingConfig
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Job,
)

# What the server gives a job that doesn't say; a test compares them.
DEFAULTS = {"num_train_epochs": 3.0, "max_steps": 0, "learning_rate": 2e-4, "lora_r": 16}
PRIORITIES = (PRIORITY_URGENT, PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW)
UNFINISHED = (JOB_STATE_QUEUED, JOB_STATE_ACTIVE, JOB_STATE_PAUSED, JOB_STATE_INTERRUPTED)
# The ids of the fields in the order that callbacks take their values.
VALUES = ("name", "priority", "after", "base_model", *DEFAULTS)
CHECKED = ("snapshots", "preempt", "skip_bad_lines")


def layout() -> Component:
    return html.Div(
        className="submit-fields",
        children=[
            _text("name", "Name", "What to call the job"),
            _select("priority", "Priority", [priority(value) for value in PRIORITIES], "normal"),
            dmc.MultiSelect(id=_id("after"), label="Only after these are completed", data=[], value=[], clearable=True),
            _text("base_model", "Base model", "The server's default, if it has one"),
            _text("num_train_epochs", "Epochs", f"{DEFAULTS['num_train_epochs']:g}"),
            _text("max_steps", "Steps, instead of epochs", "As many as the epochs need"),
            _text("learning_rate", "Learning rate", f"{DEFAULTS['learning_rate']:g}"),
            _text("lora_r", "LoRA rank", f"{DEFAULTS['lora_r']}"),
            html.Div(
                className="submit-checks",
                children=[
                    dmc.Checkbox(id=_id("snapshots"), label="Take snapshots of the guesses", checked=True),
                    dmc.Checkbox(id=_id("preempt"), label="Less urgent running jobs make room", checked=False),
                    dmc.Checkbox(id=_id("skip_bad_lines"), label="Leave out lines that can't be read", checked=False),
                ],
            ),
        ],
    )


def after_choices(jobs: list[Job]) -> list[dict[str, str]]:
    """The jobs that another one can wait for."""
    return [
        {"value": job.id, "label": f"{job.name} ({job_state(job.state)})"} for job in jobs if job.state in UNFINISHED
    ]


def config(values: Mapping[str, Any]) -> TrainingConfig:
    """Of the fields that were filled in; the server completes it. Raises Invalid, which names the field."""
    made = TrainingConfig(snapshots=bool(values["snapshots"]))
    if base_model := (values["base_model"] or "").strip():
        made.base_model = base_model
    for name, default in DEFAULTS.items():
        text = str(values[name] or "").strip()
        if not text:
            continue
        number = type(default)
        try:
            setattr(made, name, number(text))
        except ValueError as error:
            wanted = "a whole number" if number is int else "a number, such as 2e-4 or 3"
            label = name.replace("_", " ")
            raise Invalid(f"{label} can't be {text!r}", f"Give {wanted}, or leave it empty for the default.") from error
    return made


def _id(name: str) -> str:
    return f"submit-{name}"


def _text(name: str, label: str, placeholder: str) -> Component:
    made: Component = dmc.TextInput(id=_id(name), label=label, placeholder=placeholder, value="")
    return made


def _select(name: str, label: str, choices: list[str], chosen: str) -> Component:
    made: Component = dmc.Select(id=_id(name), label=label, data=choices, value=chosen, allowDeselect=False)
    return made
