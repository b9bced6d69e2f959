"""What the URL says the page shows."""

import pytest

from guessbook.clients.dashboard.view import View, asked_view, at
from guessbook.proto.history_pb2 import EXAMPLE_STATE_NOT_LEARNED


def test_everything_in_the_url_is_read() -> None:
    search = "?run=run-0002&example=7&row=3&state=not_learned&q=two%20words&sort=-loss&at=120"
    assert View.parse(search) == View("run-0002", 7, 3, EXAMPLE_STATE_NOT_LEARNED, "two words", sort="-loss", at=120)


@pytest.mark.parametrize(
    "search",
    ["", None, "?", "?example=x&state=odd&sort=odd&at=-3", "?at=0&example=%C2%B2", f"?at={10**30}&step={'9' * 5000}"],
)
def test_what_nobody_understands_takes_its_default(search: str | None) -> None:
    assert View.parse(search) == View()


def test_without_a_position_the_question_is_of_now() -> None:
    assert at(None) is None
    point = at(12)
    assert point is not None
    assert point.position == 12


def test_a_part_of_the_page_is_asked_about_the_point_and_the_filters_it_was_told_of() -> None:
    asked = {"run": "run-1", "at": 7, "position": 9, "search": "state=not_learned"}
    assert asked_view(asked) == View(state=EXAMPLE_STATE_NOT_LEARNED, at=7)
    assert asked_view(asked, "?sort=loss&at=30") == View(sort="loss", at=7)
    assert asked_view({**asked, "at": None}).at is None
