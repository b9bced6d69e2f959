"""The word diff between two guesses."""

from hypothesis import given
from hypothesis import strategies as st

from guessbook.clients.dashboard.words import Part, diff

TEXT = st.text(st.sampled_from("ab \n"), max_size=40)


def test_a_changed_word_is_removed_and_added() -> None:
    assert diff("Rome is a town", "Oslo is a town") == [
        Part("removed", "Rome"),
        Part("added", "Oslo"),
        Part("same", " is a town"),
    ]


def test_more_words_are_added() -> None:
    assert diff("Oslo", "Oslo is it") == [Part("same", "Oslo"), Part("added", " is it")]


def test_from_nothing_all_is_added() -> None:
    assert diff("", "new words") == [Part("added", "new words")]


@given(TEXT, TEXT)
def test_what_is_not_removed_is_the_new_text_and_what_is_not_added_has_the_old_words(before: str, after: str) -> None:
    parts = diff(before, after)
    assert "".join(part.text for part in parts if part.kind != "removed") == after
    old = "".join(part.text for part in parts if part.kind != "added")
    assert "".join(old.split()) == "".join(before.split())
