"""Columns of texts: rows, copies and search are those of a plain list."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guessbook.projections.text_column import CHUNK, CodedColumn, TextColumn

TEXTS = st.lists(st.text("aB ß\u0130\u00ff\x007", max_size=6), max_size=30)


def _long(texts: list[str]) -> list[str]:
    """So many that there is a full chunk before the tail."""
    return texts + [f"Row {number}" for number in range(CHUNK)] + texts


@settings(deadline=None, max_examples=40)
@given(TEXTS, st.text("aB ß\u0130\u00ff\x007", max_size=3), st.booleans())
def test_rows_and_search_are_those_of_a_list(texts: list[str], wanted: str, long: bool) -> None:
    rows = _long(texts) if long else texts
    column = TextColumn(rows)
    assert list(column) == rows
    assert [column[number] for number in range(len(column))] == rows
    assert column.mentions(wanted).tolist() == [wanted.casefold() in text.casefold() for text in rows]
    assert list(pickle.loads(pickle.dumps(column))) == rows


def test_nothing_is_found_across_two_texts() -> None:
    column = TextColumn(["one", "two"] * CHUNK)
    assert not column.mentions("onetwo").any()
    assert not column.mentions("etw").any()
    assert column.mentions("tw").sum() == CHUNK


@settings(deadline=None, max_examples=40)
@given(TEXTS, TEXTS, TEXTS, st.booleans())
def test_a_copy_shares_the_past_and_nothing_else(
    start: list[str], one: list[str], other: list[str], long: bool
) -> None:
    rows = _long(start) if long else start
    column = TextColumn(rows)
    copy = column.copy()
    column.extend(one)
    copy.extend(other)
    assert list(column) == rows + one
    assert list(copy) == rows + other


def test_there_is_no_row_before_the_first_or_behind_the_last() -> None:
    column = TextColumn(["a"])
    for row in (-1, 1, CHUNK):
        with pytest.raises(IndexError):
            column[row]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "x", "y", "z"]), max_size=20), st.lists(st.sampled_from(["x", "w"]), max_size=5))
def test_codes_stand_for_texts(texts: list[str], more: list[str]) -> None:
    column = CodedColumn()
    column.extend(texts)
    copy = column.copy()
    column.extend(more)
    assert list(column) == texts + more
    assert list(copy) == texts
    assert [column[number] for number in range(len(column))] == texts + more
    assert column.distinct() == list(dict.fromkeys(texts + more))
    assert [column.distinct()[code] for code in column.codes().tolist()] == texts + more
