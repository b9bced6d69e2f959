"""The client that waits and the one for asyncio have the same methods, with the same arguments and the same words."""

import inspect

import pytest

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.methods import Methods
from guessbook.clients.question_methods import QuestionMethods
from guessbook.clients.safety_methods import SafetyMethods

NAMES = sorted({name for client in (Guessbook, AsyncGuessbook) for name in dir(client) if not name.startswith("_")})
OWN = [name for name in NAMES if name not in vars(Methods) | vars(QuestionMethods) | vars(SafetyMethods)]


@pytest.mark.parametrize("name", NAMES)
def test_both_clients_have_it_with_the_same_arguments(name: str) -> None:
    waiting, asynchronous = getattr(Guessbook, name), getattr(AsyncGuessbook, name)
    ours, theirs = inspect.signature(waiting), inspect.signature(asynchronous)
    assert list(ours.parameters.values()) == list(theirs.parameters.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_what_it_does(name: str) -> None:
    for client in (Guessbook, AsyncGuessbook):
        method = getattr(client, name)
        assert method.__doc__, f"{client.__name__}.{name}"
        assert "return" in method.__annotations__, f"{client.__name__}.{name}"


def test_only_what_differs_is_written_twice() -> None:
    assert OWN == ["close", "download", "observations", "read", "redial", "subscribe", "upload", "verify"]
