"""Links to other pages keep the point in time: who looks at the past stays in it."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from dash.development.base_component import Component

from guessbook.clients.dashboard.backups import listing
from guessbook.clients.dashboard.backups.answers import Answers
from guessbook.clients.dashboard.backups.selection import Selection
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import changed, href
from guessbook.clients.dashboard.versions import comparison, details
from guessbook.clients.dashboard.versions.choice import Choice
from guessbook.proto.history_pb2 import (
    CHANGE_FIXED,
    ChangeCount,
    ComparedExample,
    CompareResponse,
    Version,
)
from guessbook.proto.safety_pb2 import Backup, ListBackupsResponse

VERSION = Version(name="v002_x", number=2, run="run-1")


def linked(children: object) -> Iterator[str]:
    """Where everything in it leads."""
    for child in children if isinstance(children, (list, tuple)) else [children]:
        if isinstance(child, Component):
            address: str | None = getattr(child, "href", None)
            yield from [address] if address else []
            yield from linked(getattr(child, "children", None))


def compared(search: str) -> list[Component]:
    answer = CompareResponse(
        counts=[ChangeCount(change=CHANGE_FIXED, count=1)],
        matching=1,
        examples=[ComparedExample(index=4, change=CHANGE_FIXED)],
    )
    answer.after.run = "run-1"
    return comparison.section(answer, Choice.parse(search), search)


def backups(search: str) -> list[Component | None]:
    known = ListBackupsResponse(backups=[Backup(id="b1", operation="o1", created_at_us=10**15)])
    answers = Answers(known, [], False, None, Clock.of("UTC", "", 2 * 10**15), True)
    return listing.card(answers, Selection.parse(search))


def test_an_address_holds_what_is_asked_and_the_point_in_time() -> None:
    assert href("/versions", None) == "/versions"
    assert href("/versions", 7, version="a b", with_="c&d") == "/versions?version=a+b&with=c%26d&at=7"
    assert href("/example", None, run="", example=0) == "/example?example=0"


def test_a_part_of_the_address_is_changed_and_the_rest_is_kept() -> None:
    changes = {"version": "b", "with_": None, "page": 2, "q": ""}
    assert changed("/versions", "?at=9&version=a&q=x&with=c", **changes) == "/versions?at=9&version=b&page=2"
    assert changed("/versions", "?page=2", page=None) == "/versions"


@pytest.mark.parametrize(
    ("page", "address"),
    [
        (compared, "/example?run=run-1&example=4"),
        (lambda search: details.section(VERSION, [], search), "/evolution?run=run-1"),
        (backups, "/audit?operation=o1"),
    ],
)
def test_a_link_leads_to_the_same_moment(page: Callable[[str], Sequence[Component | None]], address: str) -> None:
    assert address in list(linked(page("")))
    assert f"{address}&at=7" in list(linked(page("?at=7")))


def test_a_version_that_no_backup_holds_leads_to_the_backups_of_that_moment() -> None:
    assert "/backups" in list(linked(details.section(VERSION, [], "")))
    assert "/backups?at=7" in list(linked(details.section(VERSION, [], "?at=7")))
