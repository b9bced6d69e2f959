"""A message as a document of plain values, for JSON and for whoever shows all of it. Pure."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_WIDE = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}


def as_document(message: Message) -> dict[str, Any]:
    """The message as protobuf's JSON, with the names of the .proto and 64-bit integers as numbers, not as text."""
    document = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    _make_numbers(document, message.DESCRIPTOR.fields)
    return document


def _make_numbers(document: dict[str, Any], fields: Any) -> None:  # descriptors have two types, one per implementation
    for field in fields:
        if field.name not in document:
            continue
        value = document[field.name]
        if field.message_type:
            for part in value if isinstance(value, list) else [value]:
                _make_numbers(part, field.message_type.fields)
        elif field.type in _WIDE:
            document[field.name] = [int(one) for one in value] if isinstance(value, list) else int(value)
