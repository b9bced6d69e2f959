"""What can go wrong on the way to the server.

GuessbookError
├── Unreachable       no server answers
├── Rejected          the server understood and said no
├── NotFound          there is no such job, run, example ...
├── Invalid           the request makes no sense as it is
├── Fenced            another process took this producer's place
│   └── Displaced     another trainer took the job over; this one may go on with the next
├── SpoolFull         too much waits for the server already
├── Unauthenticated   the server doesn't know the token, or there was none
└── Forbidden         the token's role may not do this

Each says what happened and, in `hint`, what to do next. `exit_code` is what the CLI exits with, and stays the same.
"""


class GuessbookError(Exception):
    """Something failed; `str(error)` says what, `hint` what to do next (may be empty)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Invalid(GuessbookError):
    exit_code = 2


class Unreachable(GuessbookError):
    exit_code = 3


class NotFound(GuessbookError):
    exit_code = 4


class Rejected(GuessbookError):
    exit_code = 5


class Fenced(GuessbookError):
    exit_code = 6


class Unauthenticated(GuessbookError):
    exit_code = 7


class Forbidden(GuessbookError):
    exit_code = 8


class Displaced(Fenced):
    pass


class SpoolFull(GuessbookError):
    exit_code = 9
