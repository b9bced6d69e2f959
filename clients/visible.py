"""Foreign text made safe to look at: nothing in it hides, and nothing turns the direction of what follows. Pure."""

import unicodedata

_KEPT = {"\n", "\u200d", "\u200c"}  # line ends, and the joiners that scripts and emoji need


def visible(content: str) -> str:
    """The text with its control characters spelled out, as `\\x07` or `\\u202e`."""
    if content.isprintable():
        return content
    return "".join(character if _shown(character) else repr(character)[1:-1] for character in content)


def _shown(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"
