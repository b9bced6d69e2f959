"""A job's config as people write it: YAML with the fields of TrainingConfig, by the names the field uses, and how the job is queued.

Knows the keys, their other names and their types. What values make sense is for the server to say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

import yaml
from google.protobuf.descriptor import FieldDescriptor

from guessbook.proto.events_pb2 import Needs, Priority, TrainingConfig
from guessbook.store.config import BadConfig

# Other names of the same things: of TRL, PEFT, LLaMA-Factory and axolotl.
ALIASES = {
    "model_name_or_path": "base_model",
    "from": "from_version",
    "target_modules": "lora_target_modules",
    "lora_target": "lora_target_modules",
    "lora_rank": "lora_r",
    "torch_dtype": "dtype",
    "max_seq_length": "max_length",
    "cutoff_len": "max_length",
    "sequence_len": "max_length",
    "num_epochs": "num_train_epochs",
    "micro_batch_size": "per_device_train_batch_size",
    "lr_scheduler": "lr_scheduler_type",
}
_PRIORITIES = ("low", "normal", "high", "urgent")
_NOTHING = {"lora_target_modules": "all-linear", "report_to": "none"}  # words for an empty list
_UNITS: dict[str, int] = {"": 1, **{unit: 10 ** (3 * n) for n, unit in enumerate(("kb", "mb", "gb", "tb"), 1)}}
_UNITS |= {unit: 2 ** (10 * n) for n, unit in enumerate(("kib", "mib", "gib", "tib"), 1)}
_shown = Repr()  # a value in a message, in short
_shown.maxlevel = 2
# What yaml raises besides its own: for a date that there is not, `!!bool maybe`, lists in lists without end.
_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
_FIELDS = TrainingConfig.DESCRIPTOR.fields_by_name


@dataclass(frozen=True)
class JobConfig:
    """What a file says; what it doesn't say is empty. `held_out`: the path of a file."""

    config: TrainingConfig = field(default_factory=TrainingConfig)
    name: str = ""
    priority: Priority.ValueType = Priority.PRIORITY_UNSPECIFIED
    after: tuple[str, ...] = ()
    needs: Needs = field(default_factory=Needs)
    preempt: bool = False
    skip_bad_lines: bool = False
    held_out: str = ""


def read(text: str) -> JobConfig:
    """Raises BadConfig, which names the line, the key, and what it takes or the nearest key that there is."""
    config, needs, options = TrainingConfig(), Needs(), dict[str, Any]()
    for key, (line, value) in _entries(text).items():
        convert, meaning = _kind(key)
        try:
            if key in _OPTIONS:
                options[key] = convert(value)
            elif key in _NEEDS:
                setattr(needs, "memory_bytes" if key == "memory" else key, convert(value))
            elif _FIELDS[key].is_repeated:
                getattr(config, key).extend(convert(one) for one in _listed(key, value))
            else:
                setattr(config, key, convert(value))
        except (ValueError, TypeError, OverflowError) as error:  # also of a number that the field has no room for
            raise BadConfig(f"line {line}: {key} can't be {_shown.repr(value)}; it takes {meaning}") from error
    return JobConfig(config=config, needs=needs, **options)


def size(text: str | int) -> int:
    """Bytes: "40GB", "40 GiB", "512MB" or a plain number. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(text).strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no size; 40GB is one")
    return round(float(match[1]) * _UNITS[match[2]])


def _entries(text: str) -> dict[str, tuple[int, Any]]:
    """What each key, by its first name, says, and in which line. A key without a value is left out."""
    entries: dict[str, tuple[int, Any]] = {}
    for line, given, value in _lines(text):
        key = ALIASES.get(given, given) if isinstance(given, str) else given
        if key not in (*_OPTIONS, *_NEEDS, *_FIELDS):
            shown = str(given).encode(errors="backslashreplace").decode()
            raise BadConfig(f"line {line}: {shown} is unknown; {_nearest(shown)}")
        if key in entries:
            raise BadConfig(f"line {line}: {given} says again what line {entries[key][0]} says; leave one of them out")
        if value is not None:
            entries[key] = line, value
    return entries


def _lines(text: str) -> list[tuple[int, Any, Any]]:
    """Line, key and value of each entry of the mapping that a text is."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        build = loader.construct_object
        found = [(key.start_mark.line + 1, build(key, deep=True), build(value, deep=True)) for key, value in entries]
    except _UNREADABLE as error:
        raise BadConfig(f"it is no YAML: {error}") from error
    if node is not None and node.value and not isinstance(node, yaml.MappingNode):
        raise BadConfig("it must be a mapping of names to values, such as `lora_r: 16`")
    return found


def _nearest(key: str) -> str:
    known = [*_FIELDS, *ALIASES, *_OPTIONS, *_NEEDS]
    near = get_close_matches(key, known, 3)
    return f"did you mean {' or '.join(near)}?" if near else "docs/control.md lists the keys"


def _listed(key: str, value: Any) -> list[Any]:
    """The values of a list, which people also write as one text with commas."""
    if value == _NOTHING.get(key):
        return []
    if isinstance(value, str):
        return [one.strip() for one in value.split(",")]
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, bool | float | list | dict):
        raise TypeError
    text = str(value)
    if "\0" in text:
        raise ValueError
    text.encode()  # a lone surrogate, which YAML can escape, is in no UTF-8
    return text


def _number(value: Any) -> float:
    """Also "2e-4": YAML 1.1 takes that for text, and everybody writes it."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise TypeError
    return float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError
    return value if isinstance(value, int) else int(number)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _priority(value: Any) -> Priority.ValueType:
    if value not in _PRIORITIES:
        raise ValueError
    return Priority.Value(f"PRIORITY_{value.upper()}")


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_text(one) for one in (value if isinstance(value, list) else [value]))


_Kind = tuple[Callable[[Any], Any], str]
_YES_OR_NO: _Kind = (_yes_or_no, "true or false")
_WHOLE: _Kind = (_whole, "a whole number, at least 0")
_KINDS: dict[int, _Kind] = {
    FieldDescriptor.TYPE_STRING: (_text, "a text"),
    FieldDescriptor.TYPE_DOUBLE: (_number, "a number"),
    FieldDescriptor.TYPE_UINT32: _WHOLE,
    FieldDescriptor.TYPE_UINT64: _WHOLE,
    FieldDescriptor.TYPE_BOOL: _YES_OR_NO,
}
_OPTIONS: dict[str, _Kind] = {
    "name": (_text, "a text"),
    "priority": (_priority, "low, normal, high or urgent"),
    "after": (_names, "a job's id, or a list of them"),
    "preempt": _YES_OR_NO,
    "skip_bad_lines": _YES_OR_NO,
    "held_out": (_text, "the path of a file"),
}
_NEEDS: dict[str, _Kind] = {"devices": _WHOLE, "memory": (size, "a size such as 40GB")}


def _kind(key: str) -> _Kind:
    return _OPTIONS.get(key) or _NEEDS.get(key) or _KINDS[_FIELDS[key].type]
