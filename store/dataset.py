"""A dataset file's bytes as examples: every form people use, and a reason for each line that can't be read.

Knows JSON and the field names of the forms (those of TRL, LLaMA-Factory and Axolotl), not tokens and not models. Server and trainer both read
a dataset through this page, so that example 17 is the same record for both.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

TEXT_SHOWN = 200  # characters of a bad line, and of what is wrong with it
NAME_LIMIT = 200  # characters of an id or a category

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Turn:
    """One message of a chat. Roles are system, user, assistant, tool."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """One training record.

    With `turns`, they are the chat up to the answer and `expected` is the assistant's answer. Without, `prompt` and `expected` are plain
    text, one right behind the other.
    """

    index: int
    id: str
    prompt: str  # as a person reads it
    expected: str
    category: str = ""
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class LineError:
    """A line that can't be read; line 1 is the file's first."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Dataset:
    form: str
    lines: int  # without blank ones
    examples: list[Example] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)


class UnreadableRecord(ValueError):
    """Why one record is not an example."""


@dataclass(frozen=True)
class _Content:
    prompt: str
    expected: str
    turns: tuple[Turn, ...] = ()


def _text(record: Record, name: str, *, empty: bool = False) -> str:
    value = record.get(name)
    if value is None:
        raise UnreadableRecord(f'field "{name}" is missing')
    if not isinstance(value, str):
        raise UnreadableRecord(f'field "{name}" is {_kind(value)}, expected a string')
    if not empty and not value.strip():
        raise UnreadableRecord(f'field "{name}" is empty')
    return value


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), "a string")


def _chat(turns: Sequence[Turn]) -> _Content:
    """A chat whose last assistant turn is the expected answer; what follows it is left out."""
    last = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
    if last < 0:
        raise UnreadableRecord("the chat has no assistant message to learn from")
    if last == 0:
        raise UnreadableRecord("the chat begins with its only assistant message: there is nothing to answer")
    if not turns[last].content.strip():
        raise UnreadableRecord("the last assistant message is empty")
    before = tuple(turns[:last])
    if len(before) == 1 and before[0].role == "user":
        prompt = before[0].content
    else:
        prompt = "\n".join(f"{turn.role}: {turn.content}" for turn in before)
    return _Content(prompt, turns[last].content, before)


def _turns(value: object, name: str, role_key: str, content_key: str, roles: Mapping[str, str]) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise UnreadableRecord(f'field "{name}" is {_kind(value)}, expected a list of messages')
    turns = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict):
            raise UnreadableRecord(f'message {number} of "{name}" is {_kind(message)}, expected an object')
        role, content = message.get(role_key), message.get(content_key)
        if not isinstance(role, str) or role not in roles:
            raise UnreadableRecord(
                f'message {number} of "{name}" has {role_key} {role!r}, expected one of {", ".join(roles)}'
            )
        if not isinstance(content, str):
            raise UnreadableRecord(f'message {number} of "{name}" has no text in "{content_key}"')
        turns.append(Turn(roles[role], content))
    return turns


_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_SHAREGPT_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "observation": "tool",
    "function_call": "assistant",
}


def _messages(record: Record) -> _Content:
    return _chat(_turns(record.get("messages"), "messages", "role", "content", _ROLES))


def _conversations(record: Record) -> _Content:
    turns = _turns(record.get("conversations"), "conversations", "from", "value", _SHAREGPT_ROLES)
    if record.get("system"):
        turns.insert(0, Turn("system", _text(record, "system")))
    return _chat(turns)


def _instruction(record: Record) -> _Content:
    prompt = _text(record, "instruction")
    extra = _text(record, "input", empty=True) if record.get("input") is not None else ""
    turns = [
        Turn("user", f"{prompt}\n\n{extra}" if extra.strip() else prompt),
        Turn("assistant", _text(record, "output")),
    ]
    if record.get("system"):
        turns.insert(0, Turn("system", _text(record, "system")))
    return _chat(turns)


def _question(record: Record) -> _Content:
    return _chat([Turn("user", _text(record, "question")), Turn("assistant", _text(record, "answer"))])


def _prompt(record: Record) -> _Content:
    if isinstance(record.get("prompt"), list):
        turns = _turns(record["prompt"], "prompt", "role", "content", _ROLES)
        return _chat(turns + _turns(record.get("completion"), "completion", "role", "content", _ROLES))
    return _Content(_text(record, "prompt"), _text(record, "completion"))


def _plain(record: Record) -> _Content:
    return _Content("", _text(record, "text"))


# A form: the fields that tell it, and how a record of it is read. The first whose fields are all there counts.
FORMS: dict[str, tuple[tuple[str, ...], Callable[[Record], _Content]]] = {
    "messages": (("messages",), _messages),
    "conversations": (("conversations",), _conversations),
    "prompt/completion": (("prompt", "completion"), _prompt),
    "question/answer": (("question", "answer"), _question),
    "instruction/input/output": (("instruction", "output"), _instruction),
    "text": (("text",), _plain),
}
_CATEGORIES = ("category", "subject", "topic", "type")


def detect(record: Record) -> str | None:
    """The form of a record, or None."""
    return next((form for form, (fields, _) in FORMS.items() if all(name in record for name in fields)), None)


def read_dataset(path: Path) -> Dataset:
    """Reads a JSONL file. A line that can't be read becomes an error with its reason; the others keep their order.

    The file's form is the one that most of its records have. Memory: the whole file's text.
    """
    records: list[tuple[int, str, dict[str, Any]]] = []
    errors: list[LineError] = []
    lines = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            lines += 1
            try:
                records.append((number, _shown(raw), _record(raw, first=number == 1)))
            except UnreadableRecord as error:
                errors.append(_error(number, error, _shown(raw)))
    forms = Counter(form for _, _, record in records if (form := detect(record)))
    form = forms.most_common(1)[0][0] if forms else ""
    examples: list[Example] = []
    taken: dict[str, int] = {}
    for number, text, record in records:
        try:
            example = _example(record, form, len(examples))
        except UnreadableRecord as error:
            errors.append(_error(number, error, text))
        else:
            examples.append(replace(example, id=_unique(example.id, taken)))
    return Dataset(form, lines, examples, sorted(errors, key=lambda error: error.line))


def _record(raw: bytes, *, first: bool) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableRecord(f"byte {error.start + 1} is not UTF-8") from error
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableRecord(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise UnreadableRecord(f"not JSON that can be read: {error}") from error
    except RecursionError as error:
        raise UnreadableRecord("not JSON that can be read: nested too deep") from error
    if not isinstance(record, dict):
        raise UnreadableRecord(f"{_kind(record)}, expected an object with fields")
    return record


def _example(record: Record, form: str, index: int) -> Example:
    if not form:
        known = "; ".join(" + ".join(fields) for fields, _ in FORMS.values())
        raise UnreadableRecord(f"unknown fields {', '.join(sorted(record)) or '(none)'}; expected one of: {known}")
    fields, read = FORMS[form]
    missing = [name for name in fields if name not in record]
    if missing:
        raise UnreadableRecord(f'field "{missing[0]}" is missing (the file is in the {form} form)')
    content = read(record)
    identity = _identity(record)
    category = next((record[name] for name in _CATEGORIES if isinstance(record.get(name), str)), "")
    for name, text in (("id", identity), ("category", category)):
        if len(text) > NAME_LIMIT:
            raise UnreadableRecord(f"its {name} has {len(text):,} characters; at most {NAME_LIMIT} are taken")
    for text in (identity, category, content.prompt, content.expected, *(turn.content for turn in content.turns)):
        if not text.isascii() and not _encodable(text):
            raise UnreadableRecord("it holds half of a surrogate pair, which no text file can carry")
    return Example(index, identity, content.prompt, content.expected, category, content.turns)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identity(record: Record) -> str:
    """The user's own id, else a hash of the content."""
    given = next((record[name] for name in ("id", "guid") if isinstance(record.get(name), str | int)), None)
    if given is not None and str(given).strip():
        return str(given)
    content = json.dumps(record, sort_keys=True, ensure_ascii=True).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def _unique(identity: str, taken: dict[str, int]) -> str:
    """A repeated id gets "-2", "-3" … so that each record has its own."""
    number = taken.get(identity, 0) + 1
    unique = identity if number == 1 else f"{identity}-{number}"
    while number > 1 and unique in taken:
        number += 1
        unique = f"{identity}-{number}"
    taken[identity] = number
    taken.setdefault(unique, 1)
    return unique


def _error(line: int, reason: UnreadableRecord, text: str) -> LineError:
    told = str(reason).encode("utf-8", errors="replace").decode()
    return LineError(line, told if len(told) <= TEXT_SHOWN else told[:TEXT_SHOWN] + "…", text)


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace").strip()
    return text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + "…"
