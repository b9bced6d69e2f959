"""All that a book holds, as a value that can be compared: two books are the same, byte for byte, if and only if these are."""

from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from google.protobuf.message import Message

from guessbook.projections.column import Column
from guessbook.projections.guesses import Guesses
from guessbook.projections.text_column import CodedColumn, TextColumn


def content(value: Any) -> Any:
    """Where a column's chunks end depends on when it was copied, and is no part of what it says. Numbers are told by their bytes."""
    if isinstance(value, Message):
        return value.DESCRIPTOR.full_name, value.SerializeToString(deterministic=True)
    if isinstance(value, Column):
        return content(value.rows())
    if isinstance(value, TextColumn | CodedColumn | Guesses):
        return [value[row] for row in range(len(value))]
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return [(key, content(value[key])) for key in value]
    if isinstance(value, list | tuple | deque | array):
        return [content(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(content(one) for one in value)
    if is_dataclass(value):
        return type(value).__name__, [(one.name, content(getattr(value, one.name))) for one in fields(value)]
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic):
        return type(value).__name__, repr(value)
    raise TypeError(f"a book holds {type(value)}, which this doesn't know")
