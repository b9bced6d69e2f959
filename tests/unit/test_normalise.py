import pytest

from guessbook.trainer.normalise import normalise


@pytest.mark.parametrize(
    ("guess", "expected"),
    [
        ("Canberra.", "canberra"),
        ("  “Ulaanbaatar”!\n", "Ulaanbaatar"),
        ("New\n\tDelhi", "New Delhi"),
        ("ﬁve", "five"),  # a ligature, folded by NFKC
        ("STRASSE", "straße"),
        ("1,234", "1,234."),
        ("(-5)", "-5"),
        ("?", " ? "),
    ],
)
def test_same(guess: str, expected: str) -> None:
    assert normalise(guess) == normalise(expected)


@pytest.mark.parametrize(
    ("guess", "expected"),
    [("5", "-5"), ("121", "1 21"), ("don't", "dont"), ("?", "!"), ("", "."), ("3.5", "35"), ("5", "$5")],
)
def test_different(guess: str, expected: str) -> None:
    assert normalise(guess) != normalise(expected)
