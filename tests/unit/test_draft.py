import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.trainer.draft import Drafts, Experience, best_width

tokens = st.lists(st.integers(0, 5), max_size=30)


def test_the_last_guess_is_repeated_as_long_as_it_goes_on_like_that() -> None:
    drafts = Drafts([1, 2, 3, 4], [], Experience.none())
    assert drafts.after([1, 2]) == [3, 4]
    assert drafts.after([1, 2, 3, 4]) == []
    assert drafts.after([1, 9]) == []


def test_otherwise_what_followed_the_same_tokens_elsewhere_is_the_later_text_first() -> None:
    drafts = Drafts([], [[1, 2, 3, 4], [7, 1, 2, 8]], Experience.none())
    assert drafts.after([0, 1, 2]) == [8, 0, 1, 2]  # the texts follow each other, and the guess follows them


def test_a_longer_match_goes_before_a_later_one() -> None:
    drafts = Drafts([], [[5, 1, 2, 3, 9], [1, 2, 4, 4]], Experience.none())
    assert drafts.after([5, 1, 2])[:2] == [3, 9]


def test_a_guess_that_repeats_itself_is_foreseen() -> None:
    assert Drafts([], [[9, 9]], Experience.none()).after([1, 2, 3, 1, 2])[:3] == [3, 1, 2]


@given(last=tokens, texts=st.lists(tokens, max_size=3), out=tokens)
def test_whatever_the_texts_are_a_draft_is_a_piece_of_them(
    last: list[int], texts: list[list[int]], out: list[int]
) -> None:
    drafts = Drafts(last, texts, Experience.none())
    whole = [token for text in texts for token in text] + out
    for end in range(len(out) + 1):
        draft = drafts.after(out[:end])
        pieces = [last[begin : begin + len(draft)] for begin in range(len(last) + 1)]
        pieces += [whole[begin : begin + len(draft)] for begin in range(len(whole) + 1)]
        assert draft in pieces


def test_drafts_that_keep_failing_are_shortened_to_nothing() -> None:
    experience = Experience.none()
    rows = [Drafts([1] * 40, [], experience) for _ in range(16)]

    def width() -> int:
        return best_width([[1] * 20 for _ in rows], [row.chance for row in rows], overhead=40)

    widths = [width()]
    for _ in range(6):
        for row in rows:
            row.went(widths[-1], 0)
        widths.append(width())
    assert widths[0] >= 4
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0


def test_drafts_that_hold_are_checked_whole() -> None:
    experience = Experience.none()
    row = Drafts([1] * 40, [], experience)
    for _ in range(5):
        row.went(20, 20)
    assert best_width([[1] * 60], [row.chance], overhead=40) == 60


def test_a_row_learns_from_the_others_of_its_kind() -> None:
    experience = Experience.none()
    fresh = Drafts([1, 2], [], experience)
    before = fresh.chance
    Drafts([1, 2], [], experience).went(2, 0)
    assert fresh.chance < before


@pytest.mark.parametrize("overhead", [0.0, 40.0, 500.0])
def test_without_drafts_there_is_plain_decoding(overhead: float) -> None:
    assert best_width([[], []], [0.9, 0.9], overhead) == 0


def test_where_a_pass_costs_nothing_but_its_tokens_no_draft_is_worth_it() -> None:
    assert best_width([[1] * 8] * 4, [0.9] * 4, overhead=0.0) == 0
