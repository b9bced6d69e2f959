"""Writes the golden corpus: one encoded event per kind, all fields set, and the schema they were made with.

Run by hand when a kind of event or a field is new: `python tests/golden/make.py`. It adds what is missing and never
overwrites an event, since an old file must be readable for ever; only schema.json grows.
"""

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from guessbook.proto import events_pb2

HERE = Path(__file__).parent


def fill(message: Message) -> None:
    """Sets every field, to a value that depends on its number alone. Repeated fields get two values."""
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof and len(field.containing_oneof.fields) > 1:
            continue  # the body of an event: one is chosen by `example`
        if field.message_type:
            for part in _parts(message, field):
                fill(part)
        elif field.is_repeated:
            getattr(message, field.name).extend([_value(field), _value(field)])
        else:
            setattr(message, field.name, _value(field))


def _parts(message: Message, field: Any) -> list[Message]:
    if field.is_repeated:
        return [getattr(message, field.name).add(), getattr(message, field.name).add()]
    part: Message = getattr(message, field.name)
    part.SetInParent()
    return [part]


def _value(field: Any) -> Any:
    if field.enum_type:
        return field.enum_type.values[-1].number
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        return b"\x00\xff" if field.type == field.TYPE_BYTES else f"{field.name} ✓"
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return field.number + 0.5
    return True if kind == field.CPPTYPE_BOOL else field.number


def example(body: str) -> events_pb2.Event:
    """An event of one kind with all fields set."""
    event = events_pb2.Event()
    fill(event)
    part = getattr(event, body)
    part.SetInParent()
    fill(part)
    return event


def schema() -> dict[str, dict[str, str]]:
    """message → field number → name, type and label, for every message that can be part of an event."""
    found: dict[str, dict[str, str]] = {}
    for name, message in sorted(events_pb2.DESCRIPTOR.message_types_by_name.items()):
        found[name] = {str(field.number): _described(field) for field in message.fields}
    for name, enum in sorted(events_pb2.DESCRIPTOR.enum_types_by_name.items()):
        found[name] = {str(value.number): value.name for value in enum.values}
    return found


def _described(field: Any) -> str:
    types = {number: name for name, number in vars(type(field)).items() if name.startswith("TYPE_")}
    named = field.message_type or field.enum_type
    label = "repeated" if field.is_repeated else "optional" if field.has_presence else "single"
    return f"{field.name} {named.name if named else types[field.type].removeprefix('TYPE_').lower()} {label}"


def main() -> None:
    for field in events_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields:
        binary = HERE / f"{field.name}.bin"
        if binary.exists():
            continue
        event = example(field.name)
        binary.write_bytes(event.SerializeToString(deterministic=True))
        text = MessageToJson(event, preserving_proto_field_name=True, ensure_ascii=False, sort_keys=True)
        binary.with_suffix(".json").write_text(text + "\n")
    baseline = HERE / "schema.json"
    old = json.loads(baseline.read_text()) if baseline.exists() else {}
    new = schema()
    grown = {name: {**new.get(name, {}), **old.get(name, {})} for name in sorted(new.keys() | old.keys())}
    baseline.write_text(json.dumps(grown, indent=1) + "\n")


if __name__ == "__main__":
    main()
