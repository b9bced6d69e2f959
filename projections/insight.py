"""One insight as a message: who it is about, in which order, and how texts and numbers are said. Pure; finds nothing itself."""

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from guessbook.projections.datasets import Examples
from guessbook.proto.history_pb2 import Insight

LISTED = 1000  # examples of one insight that are named
QUOTED = 80  # characters of a text in a sentence
QUOTED_FROM = 10_000  # characters in which a difference is looked for
CONTEXT = 3  # words before it


def tell(
    kind: str,
    texts: Examples,
    about: Iterable[int],
    detail: Callable[[int], str],
    *,
    sentence: str,
    evidence: str,
    advice: str,
) -> Insight:
    """An insight about the examples with these indices, the clearest first; `detail` says of one what is to be said of it in particular."""
    indices = [int(index) for index in about]
    listed = indices[:LISTED]
    return Insight(
        kind=kind,
        sentence=sentence,
        evidence=evidence,
        advice=advice,
        count=len(indices),
        example_index=listed,
        example_id=[texts.ids[index] for index in listed],
        detail=[detail(index) for index in listed],
    )


def quoted(text: str) -> str:
    """In quotation marks, on one line, and shortened."""
    line = " ".join(text[: 4 * QUOTED].split())
    return f"“{line if len(line) <= QUOTED else line[: QUOTED - 1].rstrip() + '…'}”" if line else "nothing"


def parted(before: str, after: str) -> str:
    """How one text became another, quoted from shortly before the first word in which they differ."""
    words, others = before[:QUOTED_FROM].split(), after[:QUOTED_FROM].split()
    first = max(in_common(words, others) - CONTEXT, 0)
    cut = "… " if first else ""
    return f"{quoted(cut + ' '.join(words[first:]))} became {quoted(cut + ' '.join(others[first:]))}"


def in_common(words: Sequence[str], others: Sequence[str]) -> int:
    """How many words two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words, others, strict=False)))


def counted(count: int, one: str, more: str) -> str:
    """ "1 example is", "2,000 examples are"."""
    return f"{count:,} {one if count == 1 else more}"
