import pytest

from guessbook.trainer.version import SLUG_LENGTH, slug


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("math_fixes.jsonl", "math_fixes"),
        ("Math Fixes (new)!.jsonl", "math_fixes_new"),
        ("Übungen für Anfänger.jsonl", "ubungen_fur_anfanger"),
        ("facts.v2.jsonl", "facts_v2"),
        ("../../etc/passwd", "passwd"),
        ("日本語.jsonl", ""),
        ("x" * 200, "x" * SLUG_LENGTH),
    ],
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected
