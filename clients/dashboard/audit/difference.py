"""What an operation changed: its state before and after, key by key. Pure; knows no component."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.visible import visible


@dataclass(frozen=True)
class Row:
    """`before` and `after` as people read them; empty where the key wasn't there."""

    key: str
    before: str
    after: str
    how: Literal["changed", "added", "removed", "same"]


def difference(before: str, after: str) -> list[Row]:
    """Of two JSON documents; parts of parts have a dot in their key. What changed comes first; text that is no JSON object is one row."""
    old, new = _flat(_read(before)), _flat(_read(after))
    rows = [_row(key, old.get(key), new.get(key)) for key in [*old, *(key for key in new if key not in old)]]
    return sorted(rows, key=lambda row: row.how == "same")


def _read(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def _flat(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict) and (value or not name):
        dot = f"{name}." if name else ""
        return {key: text for part in value for key, text in _flat(value[part], f"{dot}{part}").items()}
    if name.endswith("_us") and isinstance(value, int):
        return {name.removesuffix("_us"): Clock.here(value).exact(value) or "–"}
    return {name: _words(value)}


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(value) or "none" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(key: str, old: str | None, new: str | None) -> Row:
    if old is None:
        return Row(key, "", new or "", "added")
    if new is None:
        return Row(key, old, "", "removed")
    return Row(key, old, new, "same" if old == new else "changed")
