"""The trainer's room. `GuessbookCallback` is for other people's trainers; it is imported when it is asked for, since it takes torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guessbook.trainer.guessbook_callback import GuessbookCallback

__all__ = ["GuessbookCallback"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from guessbook.trainer.guessbook_callback import GuessbookCallback

        return GuessbookCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
