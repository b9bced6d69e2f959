"""Which examples a verb is about: the options that `examples` and `export` share. Knows no server."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from guessbook.proto.history_pb2 import ExampleState

_NEVER_LEARNED = ("improving", "struggling", "not-learned", "unknown")


class State(StrEnum):
    """The states of an example as people write them, and one word for several; the names are those of the .proto, without its prefix."""

    LEARNED = "learned"
    IMPROVING = "improving"
    STRUGGLING = "struggling"
    NOT_LEARNED = "not-learned"
    REGRESSED = "regressed"
    UNKNOWN = "unknown"
    NEVER_LEARNED = "never-learned"

    def numbers(self) -> set["ExampleState.ValueType"]:
        words = _NEVER_LEARNED if self is State.NEVER_LEARNED else (self.value,)
        return {ExampleState.Value(f"EXAMPLE_STATE_{word.replace('-', '_').upper()}") for word in words}


def wanted(states: Sequence[State] | None, without: Sequence[State] | None) -> list["ExampleState.ValueType"]:
    """The states that are asked for: those of `states`, or all, less those of `without`. Empty: any, also none at all."""
    if not states and not without:
        return []
    asked = _all(states) if states else set(ExampleState.values())
    left = asked - _all(without or ())
    if not left:
        raise typer.BadParameter("--state and --without-state leave no state at all")
    return sorted(left)


def _all(states: Sequence[State]) -> set["ExampleState.ValueType"]:
    return {number for state in states for number in state.numbers()}


StateOption = Annotated[
    list[State] | None,
    typer.Option(help="Only these states; never-learned: all but learned and regressed. May be repeated."),
]
WithoutStateOption = Annotated[list[State] | None, typer.Option(help="Not these states. May be repeated.")]
SearchOption = Annotated[str, typer.Option(metavar="TEXT", help="In the prompt, the expected answer or any guess.")]
CategoryOption = Annotated[str, typer.Option(metavar="NAME", help="Only this category.")]
HeldOutOption = Annotated[bool, typer.Option("--held-out", help="Only examples that are watched and never trained on.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="At most so many on a page.")]
PageOption = Annotated[int, typer.Option(min=1, max=2**20, help="Which page; the first is 1.")]
