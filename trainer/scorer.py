"""When a guess counts as right: the scorers, built in and installed. Knows text, not models and not what is recorded.

A package offers one of its own by the entry point group `guessbook.scorers`: a name, and a callable as `Scorer` is.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import entry_points

from guessbook.trainer.errors import UnusableSetting
from guessbook.trainer.normalise import normalise

Scorer = Callable[[str, str], bool]  # (guess, expected) -> whether the guess is right

GROUP = "guessbook.scorers"
DEFAULT = "match"
_NUMBER = re.compile(r"(?:(?<!\w)[-−])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?:(?<!\w)[-−])?\.\d+")


def match(guess: str, expected: str) -> bool:
    """Both are the same after normalisation."""
    return normalise(guess) == normalise(expected)


def contains(guess: str, expected: str) -> bool:
    """The guess has the expected answer in it, after normalisation, as whole words: "4" is not in "42"."""
    said, wanted = normalise(guess), normalise(expected)
    return (
        re.search(_border(wanted[:1], "(?<!{})") + re.escape(wanted) + _border(wanted[-1:], "(?!{})"), said) is not None
    )


def number(guess: str, expected: str) -> bool:
    """Both give the same number, as GSM8K is scored (Cobbe et al. 2021): the one after the last ####, else the last one.

    1,000 and 1000 and 1000.0 are the same. Where the expected answer has no number, as `match`.
    """
    wanted = final_number(expected)
    return match(guess, expected) if wanted is None else final_number(guess) == wanted


def final_number(text: str) -> Decimal | None:
    """The first number after the last ####; the last one of the text where there is no such."""
    text = unicodedata.normalize("NFKC", text)
    marked = _NUMBER.search(text.rpartition("####")[2]) if "####" in text else None
    found = marked.group() if marked else next(reversed(_NUMBER.findall(text)), None)
    return None if found is None else Decimal(found.replace(",", "").replace("−", "-"))


BUILT_IN: dict[str, Scorer] = {"match": match, "number": number, "contains": contains}


def find_scorer(name: str) -> Scorer:
    """Raises UnusableSetting, which says what there is, if no scorer has the name, or it can't be loaded."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    installed = entry_points(group=GROUP)
    if name not in installed.names:
        known = ", ".join([*BUILT_IN, *sorted(installed.names)])
        raise UnusableSetting(
            f"there is no scorer {name!r} on this trainer; it has {known}",
            f"Submit the file again with --scorer and one of these, or install the package that has it ({GROUP}) and restart the trainer.",
        )
    try:
        loaded = installed[name].load()
    except Exception as error:  # a package of somebody else's may raise anything while it is imported
        raise UnusableSetting(
            f"the scorer {name!r} ({installed[name].value}) can't be loaded: {type(error).__name__}: {error}",
            "Mend or update its package on the trainer's machine, then submit the file again.",
        ) from error
    return lambda guess, expected: bool(loaded(guess, expected))


def _border(character: str, around: str) -> str:
    """What may not stand next to a text that begins or ends with `character`: more of the same word. Scripts in wide characters run on."""
    if not character or not re.match(r"\w", character) or unicodedata.east_asian_width(character) in "WF":
        return ""
    return around.format(r"\w")
