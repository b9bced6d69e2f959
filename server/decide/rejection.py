"""How a command is turned down.

Rejection
├── Invalid          it makes no sense as it is
├── Missing          what it names isn't there
├── Refused          it makes sense, but not now
├── Unauthenticated  nobody knows its sender
├── Forbidden        it is not the sender's to ask
├── Superseded       its sender was replaced by another process
│   └── Displaced    only its job was given to another; the sender itself may go on
└── Stopping         the server is about to end
"""


class Rejection(Exception):
    """Nothing was changed. `str()` says why, `hint` what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Invalid(Rejection):
    pass


class Missing(Rejection):
    pass


class Refused(Rejection):
    pass


class Unauthenticated(Rejection):
    pass


class Forbidden(Rejection):
    pass


class Superseded(Rejection):
    pass


class Displaced(Superseded):
    pass


class Stopping(Rejection):
    pass
