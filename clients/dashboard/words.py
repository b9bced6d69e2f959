"""What changed between two guesses, word by word. Pure; knows no component."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

# A word keeps the white space behind it: as tokens of their own, spaces make the comparison ten times slower.
_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")


@dataclass(frozen=True)
class Part:
    kind: Literal["same", "added", "removed"]
    text: str


def diff(before: str, after: str) -> list[Part]:
    """`before` as it became `after`. The parts that aren't "removed", joined, are `after`; those not "added" are `before`
    but for white space."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, [word.strip() for word in old], [word.strip() for word in new], autojunk=False)
    parts: list[Part] = []
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            parts.append(Part("same", "".join(new[new_from:new_to])))
            continue
        if old_to > old_from:
            parts.append(Part("removed", "".join(old[old_from:old_to])))
        if new_to > new_from:
            parts.append(Part("added", "".join(new[new_from:new_to])))
    return parts
