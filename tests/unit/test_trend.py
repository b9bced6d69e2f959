"""The trend of a run against cases worked out by hand."""

import math

import pytest
from made_events import RUN, beginning, numbered, snapshot

from guessbook.projections import book as book_fold
from guessbook.projections import views

N = 16


def _trend(*snapshots: tuple[int, list[float], list[bool]]) -> str:
    events = [event for number, losses, correct in snapshots for event in snapshot(number, losses, correct)]
    run = views.run(book_fold.fold(numbered([*beginning(N), *events])), RUN)
    assert run
    return run.trend


def _right(count: int) -> list[bool]:
    return [i < count for i in range(N)]


WRONG = _right(0)
FLAT = [2.0] * N
SWINGING = [1.9 if i % 2 else 2.1 for i in range(N)]  # the mean change from FLAT is 0


@pytest.mark.parametrize(
    ("before", "now", "trend"),
    [
        ((FLAT, WRONG), (FLAT, WRONG), "steady"),
        ((FLAT, WRONG), (SWINGING, WRONG), "steady"),
        # All lose 0.1 of 2.0: 5 % of the mean, no spread.
        ((FLAT, WRONG), ([1.9] * N, WRONG), "learning"),
        ((FLAT, WRONG), ([2.1] * N, WRONG), "worse"),
        # All lose 0.02, 1 %: sure, and too little to speak of.
        ((FLAT, WRONG), ([1.98] * N, WRONG), "steady"),
        # One of 16 loses 1.0: mean 0.0625 is over 2 % (0.04), but under two standard errors (2 x 0.242 / 4 = 0.121).
        ((FLAT, WRONG), ([1.0, *[2.0] * 15], WRONG), "steady"),
        # 5 gained, none lost: 5 > 2 sqrt 5 = 4.47. 4 gained: 4 is not over 2 sqrt 4 = 4, and the loss stands still.
        ((FLAT, WRONG), (FLAT, _right(5)), "learning"),
        ((FLAT, WRONG), (FLAT, _right(4)), "steady"),
        ((FLAT, _right(5)), (FLAT, WRONG), "worse"),
        # One loss that is no number any more, however the others fell; one that became a number again is left aside.
        ((FLAT, WRONG), ([math.nan, *[1.0] * 15], WRONG), "worse"),
        ((FLAT, _right(0)), ([math.inf, *[1.0] * 15], _right(8)), "worse"),
        (([math.inf, *[2.0] * 15], WRONG), (FLAT, WRONG), "steady"),
        (([math.nan, *[2.0] * 15], WRONG), ([math.nan, *[1.0] * 15], WRONG), "learning"),
        (([math.nan] * N, WRONG), ([math.nan] * N, WRONG), "steady"),
        # Answers count before the loss.
        ((FLAT, _right(8)), ([1.0] * N, WRONG), "worse"),
    ],
)
def test_of_two_snapshots(
    before: tuple[list[float], list[bool]], now: tuple[list[float], list[bool]], trend: str
) -> None:
    assert _trend((0, *before), (10, *now)) == trend


def test_a_snapshot_right_after_another_doesnt_make_it_steady() -> None:
    """At 101 nothing has changed since 100; it is compared with 50, the last one at or before 0.9 x 101."""
    assert _trend((50, FLAT, WRONG), (100, [1.0] * N, WRONG), (101, [1.0] * N, WRONG)) == "learning"


def test_one_snapshot_tells_no_trend() -> None:
    assert _trend((0, FLAT, WRONG)) == ""
    assert _trend() == ""
