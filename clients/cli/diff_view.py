"""What changed between two guesses, word by word, on a terminal: marked in the text as wdiff does it, so that it can be read without colours. Pure."""

from rich.text import Text

from guessbook.clients.dashboard import words
from guessbook.clients.visible import visible

KEPT = 1 / 3  # with less of the text left than this, a comparison only makes two texts harder to read


def changed(before: str, after: str, limit: int | None = None) -> Text:
    """`after`, with [-what went-] and {+what came+} where the two have enough in common; else `after` alone.

    `limit`: the most columns; an ellipsis stands where something is missing.
    """
    parts = words.diff(before, after)
    same = sum(len(part.text) for part in parts if part.kind == "same")
    text = Text()
    if same < KEPT * max(len(before), len(after)):
        text.append(visible(after))
    else:
        for part in parts:
            _append(text, part)
    if limit is not None:
        text.truncate(limit, overflow="ellipsis")
    return text


def _append(text: Text, part: words.Part) -> None:
    shown = visible(part.text)
    if part.kind == "same" or not shown.strip():
        text.append(shown)
        return
    space = shown[: len(shown) - len(shown.lstrip())]
    if not space and text and not text.plain[-1].isspace():
        space = " "  # a word that went from the beginning has none of its own
    opening, closing, style = ("[-", "-]", "red strike") if part.kind == "removed" else ("{+", "+}", "green")
    text.append(space).append(f"{opening}{shown.strip()}{closing}", style)
