"""The error table: every error that a call can end with is in it, and every one says what to do."""

import inspect

from guessbook.server.decide import rejection
from guessbook.server.errors import TABLE
from guessbook.store import errors


def _all(module: object, base: type[Exception]) -> set[type[Exception]]:
    found = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)}
    return found - {base}


def test_the_table_is_complete() -> None:
    at_start_only = {errors.LogInUse, errors.NotALog}
    assert _all(errors, errors.LogError) - at_start_only <= TABLE.keys()
    assert _all(rejection, rejection.Rejection) <= TABLE.keys()


def test_an_error_without_a_hint_of_its_own_gets_one() -> None:
    for kind, (_, hint) in TABLE.items():
        assert (
            hint
            or issubclass(kind, rejection.Rejection | ValueError)
            or kind.__name__ in ("UnknownEvent", "NotImplementedError")
        )
