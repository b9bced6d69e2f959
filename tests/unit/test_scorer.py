"""When a guess is right: by each scorer that is built in, and which scorers there are."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from guessbook.trainer import scorer
from guessbook.trainer.errors import UnusableSetting
from guessbook.trainer.scorer import contains, find_scorer, match, number


def test_match_is_equality_after_normalisation() -> None:
    assert match(" Paris. ", "paris")
    assert not match("The capital is Paris", "Paris")


@pytest.mark.parametrize(
    ("guess", "expected"),
    [
        ("so 48+24 = 72 clips.\n#### 72", "Natalia sold 24 clips.\n#### 72"),
        ("#### 1,000", "#### 1000"),
        ("#### $1000.00 in all, of 5", "#### 1,000"),  # the first number behind the mark
        ("the answer is 1000.", "#### 1000"),  # without a mark the last number
        ("12 apples, then 7 pears", "7"),
        ("-3", "−3"),
        ("it is 10-3", "3"),  # no minus sign
        ("#### none, but 5", "5"),
        ("####\nthat makes 5", "#### 5"),
        (".5", "0.50"),
        ("１，０００", "1000"),
        ("1,234,567.80", "1234567.8"),
        ("no number here", "No number here."),  # none is expected
    ],
)
def test_number_compares_the_final_numbers(guess: str, expected: str) -> None:
    assert number(guess, expected)


@pytest.mark.parametrize(
    ("guess", "expected"),
    [
        ("#### 73", "#### 72"),
        ("#### 3 of 72", "#### 72"),
        ("72 and then 5", "#### 72"),
        ("seventy-two", "72"),
        ("3", "-3"),
        ("10000", "1,000"),
        ("", "0"),
    ],
)
def test_number_tells_other_numbers_apart(guess: str, expected: str) -> None:
    assert not number(guess, expected)


@pytest.mark.parametrize(
    ("guess", "expected", "right"),
    [
        ("The capital is PARIS, of course", "Paris", True),
        ("The answer is 42", "4", False),
        ("The answer is 4", "4", True),
        ("a party", "art", False),
        ("首都は東京です", "東京", True),
        ("costs (about) $5.", "$5", True),
        ("Par", "Paris", False),
    ],
)
def test_contains_finds_whole_words(guess: str, expected: str, right: bool) -> None:
    assert contains(guess, expected) is right


def installed(monkeypatch: pytest.MonkeyPatch, **scorers: str) -> None:
    points = EntryPoints(EntryPoint(name, value, scorer.GROUP) for name, value in scorers.items())
    monkeypatch.setattr(scorer, "entry_points", lambda group: points.select(group=group))


def test_an_installed_scorer_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, starts="operator:eq")
    found = find_scorer("starts")
    assert found("a", "a") is True
    assert found("a", "A") is False
    assert find_scorer("match") is match


def test_an_unknown_scorer_is_told_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, bleu="nowhere:bleu")
    with pytest.raises(
        UnusableSetting, match="no scorer 'rouge' on this trainer; it has match, number, contains, bleu"
    ):
        find_scorer("rouge")


def test_a_scorer_that_cannot_be_loaded_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, bleu="no_such_package:bleu")
    with pytest.raises(UnusableSetting, match=r"no_such_package:bleu\) can't be loaded: ModuleNotFoundError"):
        find_scorer("bleu")
