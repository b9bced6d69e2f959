"""Numbers and times as people read them."""

import pytest

from guessbook.clients.dashboard import numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (1800, "30 min"),
        (3900, "1 h 05 min"),
        (190_000, "2 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (999_960, "1.0 MB"), (123_456_789, "123 MB")],
)
def test_sizes(count: int, text: str) -> None:
    assert numbers.size(count) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (0, 8, "0%"), (8, 8, "100%"), (1, 3, "33%"), (1, 1000, "0.1%"), (996, 1000, "99.6%")],
)
def test_a_share_does_not_round_to_all_or_none(part: int, whole: int, text: str) -> None:
    assert numbers.share(part, whole) == text


@pytest.mark.parametrize(("value", "text"), [(4, "+4"), (-12_000, "−12,000"), (0, "±0")])
def test_changes_have_a_sign(value: int, text: str) -> None:
    assert numbers.change(value) == text
