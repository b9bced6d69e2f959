"""What a client says of a call that no server answered: whether what was asked may have been done."""

import grpc
import pytest

from guessbook.clients.connection import translate
from guessbook.clients.errors import Unreachable


class Broken(grpc.RpcError):
    """As gRPC raises it."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("code", "details", "message"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", "the server at here:1 did not answer in time"),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", "the server at here:1 was lost before it answered"),
        (grpc.StatusCode.CANCELLED, "", "the server at here:1 was lost before it answered"),
    ],
)
def test_what_was_sent_may_have_been_done(code: grpc.StatusCode, details: str, message: str) -> None:
    error = translate(Broken(code, details), "here:1")
    assert isinstance(error, Unreachable)
    assert str(error) == message
    assert "may have been done all the same: look with `guessbook queue`" in error.hint


def test_what_was_never_sent_was_not_done() -> None:
    details = "failed to connect to all addresses; last error: UNKNOWN: Connection refused"
    error = translate(Broken(grpc.StatusCode.UNAVAILABLE, details), "here:1")
    assert isinstance(error, Unreachable)
    assert str(error) == "no server answers at here:1"
    assert "may have been done" not in error.hint
