"""What a subscription makes of a break, without any connection."""

import pytest

from guessbook.clients.backoff import LONGEST_S, Backoff
from guessbook.clients.errors import Forbidden, GuessbookError, Rejected, Unreachable
from guessbook.clients.subscription import Cursor
from guessbook.proto.log_pb2 import HeadResponse, ReadResponse

GONE = Unreachable("no server answers")


def test_it_goes_on_behind_the_last_answer() -> None:
    cursor = Cursor(3, ["job/"], None)
    assert cursor.connected(HeadResponse(position=9, log_id="a")) is None
    cursor.take(ReadResponse(head=9, next=8))
    cursor.take(ReadResponse(head=12, next=10))
    assert cursor.request().from_position == 10
    assert list(cursor.request().subjects) == ["job/"]
    again = cursor.connected(HeadResponse(position=14, log_id="a"))
    assert again
    assert (again.events, again.head, again.next) == ([], 14, 10)


@pytest.mark.parametrize("head", [HeadResponse(position=11, log_id="a"), HeadResponse(position=99, log_id="b")])
def test_another_log_or_an_older_state_of_it_is_refused(head: HeadResponse) -> None:
    cursor = Cursor(1, [], None)
    cursor.connected(HeadResponse(position=9, log_id="a"))
    cursor.take(ReadResponse(head=12, next=13))
    with pytest.raises(Rejected, match="another log") as caught:
        cursor.connected(head)
    assert caught.value.hint


def test_a_break_is_told_once_and_what_no_attempt_can_help_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    cursor = Cursor(5, [], None)
    for _ in range(3):
        cursor.lost(GONE)
    assert [record.getMessage() for record in caplog.records] == [
        "no server answers; the subscription waits for it and goes on at position 5"
    ]
    cursor.take(ReadResponse(head=5, next=6))
    cursor.lost(GONE)
    assert len(caplog.records) == 2
    with pytest.raises(Forbidden):
        cursor.lost(Forbidden("no"))


def test_whoever_is_told_of_a_break_may_end_the_subscription() -> None:
    told: list[GuessbookError] = []

    def on_lost(error: GuessbookError) -> None:
        told.append(error)
        if len(told) == 3:
            raise error

    cursor = Cursor(1, [], on_lost)
    cursor.lost(GONE)
    cursor.lost(GONE)
    with pytest.raises(Unreachable):
        cursor.lost(GONE)


def test_pauses_grow_and_are_not_in_step() -> None:
    pauses = [Backoff().next() for _ in range(20)]
    assert len(set(pauses)) > 1
    backoff = Backoff()
    grown = [backoff.next() for _ in range(12)]
    assert all(pause <= LONGEST_S for pause in grown)
    assert grown[0] <= 0.2 < LONGEST_S / 2 <= min(grown[-3:])
    backoff.reset()
    assert backoff.next() <= 0.2
