"""Examples of a dataset that ask the same: contradictions and duplicates. Pure; looks at the texts alone, knows no run."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from guessbook.projections.datasets import Examples, is_cut
from guessbook.projections.insight import counted, quoted, tell
from guessbook.proto.history_pb2 import Insight

SENTENCE_ENDS = " .!?"
NAMED = 10  # of one group


def plain(text: str) -> str:
    """The text as a reader takes it: Unicode NFKC, case folded, white space collapsed, without the mark at a sentence's end."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    folded = " ".join(folded.casefold().split())
    return folded.rstrip(SENTENCE_ENDS) or folded


def same_prompts(texts: Examples) -> list[list[int]]:
    """The groups of two and more examples whose prompts are the same; those of plain text, which has none, are one group."""
    return [group for group in _by(enumerate(texts.prompts)) if len(group) > 1]


def contradictions(texts: Examples, groups: list[list[int]]) -> tuple[Insight | None, list[int]]:
    """Prompts with more than one expected answer, those with the most examples first; and the indices of all these examples."""
    found = [_answers(texts, group) for group in groups if texts.prompts[group[0]]]
    found = sorted((answers for answers in found if len(answers) > 1), key=lambda answers: -sum(map(len, answers)))
    if not found:
        return None, []
    others: dict[int, str] = {}
    for answers in found:
        said = [f"#{answer[0]} expects {quoted(texts.expected[answer[0]])}" for answer in answers[: NAMED + 1]]
        for place, answer in enumerate(answers):
            against = "; ".join(said[:place] + said[place + 1 :])
            others.update((index, against) for index in answer)
    insight = tell(
        "contradiction",
        texts,
        others,
        lambda index: f"expects {quoted(texts.expected[index])}, but {others[index]}",
        sentence=f"{counted(len(found), 'prompt has', 'prompts have')} more than one expected answer.",
        evidence=f"{len(others):,} examples ask in the same words and expect different answers "
        "(letter case, white space and the mark at the end are left aside).",
        advice="The model can be right for one of them at most. Keep the right one, or say in the prompt what makes the difference.",
    )
    return insight, list(others)


def duplicates(texts: Examples, groups: list[list[int]]) -> Insight | None:
    """Examples with the same prompt and the same expected answer; the most copied first."""
    copies = {same[0]: same[1:] for group in groups for same in _answers(texts, group) if len(same) > 1}
    if not copies:
        return None
    surplus = sum(map(len, copies.values()))
    return tell(
        "duplicate",
        texts,
        sorted(copies, key=lambda index: -len(copies[index])),
        lambda index: f"also as {_numbers(copies[index])}",
        sentence=f"{counted(len(copies), 'example is', 'examples are')} in the data more than once.",
        evidence=f"{counted(surplus, 'copy has', 'copies have')} the prompt and the expected answer of another example: "
        f"{surplus / len(texts.ids):.1%} of the data.",
        advice="Each copy is trained on like the first. Remove them, unless that weight is meant.",
    )


def _answers(texts: Examples, group: list[int]) -> list[list[int]]:
    """A group's examples by what they expect."""
    return list(_by((index, texts.expected[index]) for index in group))


def _by(rows: Iterable[tuple[int, str]]) -> Iterable[list[int]]:
    """Indices by their plain texts, in the order they came; those of cut texts are left out, as only their beginnings are known."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, text in rows:
        if not is_cut(text):
            groups[plain(text)].append(index)
    return groups.values()


def _numbers(indices: list[int]) -> str:
    named = ", ".join(f"#{index}" for index in indices[:NAMED])
    return named if len(indices) <= NAMED else f"{named} and {len(indices) - NAMED:,} more"
