"""What may be done with versions and base models that destroys nothing."""

from collections.abc import Callable
from typing import Any

from guessbook.projections.book import Book
from guessbook.projections.versions import SUBJECT
from guessbook.proto.events_pb2 import Event, TrainingConfig, VersionNoted, VersionRestored
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.operations import version_named
from guessbook.server.decide.rejection import Invalid, Refused

NOTE_LIMIT = 100_000  # characters
NAME_LIMIT = 200
BASE = "base"  # in place of a version: from the base model alone
LORA = ("lora_r", "lora_alpha")  # what the shape of an adapter depends on, and its scale

Decide = Callable[[Book], Decision]


def restore(book: Book, name: str) -> Decision:
    """Takes a version out of the trash, unless the merged version that it was trained on is there too. Raises Missing, Refused."""
    version = version_named(book, name)
    if not version.deleted_at_us:
        return Decision("", f"{version.name} is not in the trash; nothing was changed.")
    if version.purged:
        raise Refused(
            f"the term of {version.name} in the trash is over and its files are gone",
            "A backup from before has them: guessbook backup list",
        )
    base = book.versions.merged_base(version)
    if base and base.purged:
        raise Refused(
            f"{version.name} was trained on {base.name}, whose files are gone",
            "A backup from before has them: guessbook backup list",
        )
    if base and base.deleted_at_us:
        raise Refused(
            f"{version.name} was trained on {base.name}, which is in the trash too",
            f"Take that out first: guessbook restore {base.name}",
        )
    event = Event(subject=f"version/{version.name}", version_restored=VersionRestored())
    return Decision("", f"{version.name} is back.", [event])


def note(book: Book, name: str, text: str) -> Decision:
    """Writes a note on a version, in place of the one before. Raises Missing, Invalid."""
    version = version_named(book, name)
    if len(text) > NOTE_LIMIT:
        raise Invalid(f"the note has {len(text)} characters", f"At most {NOTE_LIMIT} fit.")
    if version.notes == text:
        return Decision("", "The note is that already.")
    event = Event(subject=f"version/{version.name}", version_noted=VersionNoted(text=text))
    return Decision("", f"The note on {version.name} is written.", [event])


def start_from(book: Book, asked: TrainingConfig, default_model: str = "") -> TrainingConfig:
    """The config of a job with what it starts from filled in: the version it names, else the latest one that it can go on from, else the base model alone.

    An adapter goes on with its own base model and LoRA settings, a merged model is the base model itself, as `version/NAME`: where its folder lies depends
    on the data folder. Raises Missing, Refused, Invalid.
    """
    name = asked.from_version or _latest_for(book, asked, default_model)
    if name in ("", BASE):
        if asked.base_model.startswith(SUBJECT):
            raise Invalid(f"{asked.base_model} is no base model", "Name the version in from_version.")
        config = TrainingConfig()
        config.CopyFrom(asked)
        config.ClearField("from_version")
        return config
    version = version_named(book, name)
    if version.deleted_at_us:
        raise Refused(f"{version.name} is in the trash", f"Take it out first: guessbook restore {version.name}")
    config = TrainingConfig()
    config.CopyFrom(asked)
    config.from_version = version.name
    if version.HasField("consolidation"):
        return _with(config, version.name, base_model=f"{SUBJECT}{version.name}")
    run = book.runs.by_id.get(version.run)
    before = run.run.config if run else TrainingConfig()
    lora = {field.name: value for field, value in before.ListFields() if field.name in LORA}
    merged = book.versions.merged_base(version)  # older logs have the path of its folder in base_model
    base_model = f"{SUBJECT}{merged.name}" if merged else version.base_model
    config = _with(config, version.name, base_model=base_model, **lora)
    targets = list(before.lora_target_modules)
    if asked.lora_target_modules and list(asked.lora_target_modules) != targets:
        told = ", ".join(targets) or "all linear layers"
        raise Invalid(f"{version.name} trained {told}", "Leave lora_target_modules out: the version decides it.")
    config.lora_target_modules[:] = targets
    return config


def _latest_for(book: Book, asked: TrainingConfig, default_model: str) -> str:
    """The latest version, if it descends from the model that the job trains, and nothing that the job asks for contradicts it."""
    latest = eldest = book.versions.get(book.versions.latest)
    while eldest and eldest.parent:
        eldest = book.versions.get(eldest.parent)
    if not latest or not eldest or latest.deleted_at_us or (asked.base_model or default_model) != eldest.base_model:
        return ""
    if latest.HasField("consolidation"):
        return latest.name
    run = book.runs.by_id.get(latest.run)
    before = run.run.config if run else TrainingConfig()
    given = {field.name: value for field, value in asked.ListFields() if field.name in (*LORA, "lora_target_modules")}
    return "" if any(getattr(before, name) != value for name, value in given.items()) else latest.name


def _with(config: TrainingConfig, version: str, **decided: Any) -> TrainingConfig:
    given = {field.name: value for field, value in config.ListFields()}
    for name, value in decided.items():
        if given.get(name) not in (None, "", value):
            raise Invalid(f"{name} is {given[name]}, and {version} has {value}", f"Leave it out: {version} decides it.")
        setattr(config, name, value)
    return config


def register_base_model(book: Book, name: str, event: Event) -> Decision:
    """Raises Invalid for a name that can't be, Refused for one that means another model already."""
    if not name or len(name) > NAME_LIMIT or name != name.strip():
        raise Invalid(f"a base model can't be called {name!r}", "Give it a short name.")
    if event.base_model_registered.revision and event.base_model_registered.files:
        raise Invalid("a model on this machine has no revision", "Leave it out, or give a Hugging Face id.")
    known = book.base_models.by_name.get(name)
    if known is None:
        return Decision("", f"{name} is registered.", [event])
    body = event.base_model_registered
    if (known.source, known.revision, list(known.files)) == (body.source, body.revision, list(body.files)):
        return Decision("", f"{name} is registered already, as it is.")
    raise Refused(f"{name} is registered already, and is another model", "Register this one under another name.")
