"""How the six example states are called, ordered and told apart. The colours and shapes are in assets/style.css under the same words."""

from collections.abc import Iterable
from dataclasses import dataclass

from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_IMPROVING,
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_NOT_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_STRUGGLING,
    EXAMPLE_STATE_UNKNOWN,
    EXAMPLE_STATE_UNSPECIFIED,
    ExampleState,
    StateCount,
)


@dataclass(frozen=True)
class Shown:
    """A state as the page shows it."""

    state: "ExampleState.ValueType"
    word: str  # in the URL, in class names and as `--<word>` in the style sheet
    label: str
    meaning: str

    @property
    def colour(self) -> str:
        return f"var(--{self.word})"


# In the order they are stacked and listed: from known to not known.
SHOWN = (
    Shown(EXAMPLE_STATE_LEARNED, "learned", "Learned", "The latest guess is right."),
    Shown(EXAMPLE_STATE_IMPROVING, "improving", "Improving", "Wrong, and its loss is falling."),
    Shown(EXAMPLE_STATE_STRUGGLING, "struggling", "Struggling", "Wrong; its loss fell once and no longer falls."),
    Shown(EXAMPLE_STATE_NOT_LEARNED, "not_learned", "Not learned", "Wrong, and its loss has not fallen."),
    Shown(EXAMPLE_STATE_REGRESSED, "regressed", "Regressed", "Was right at an earlier snapshot, is wrong now."),
    Shown(EXAMPLE_STATE_UNKNOWN, "unknown", "Unknown", "Observed once, and wrong: nothing to compare with yet."),
)
BY_WORD: dict[str, "ExampleState.ValueType"] = {shown.word: shown.state for shown in SHOWN}
BY_STATE: dict["ExampleState.ValueType", Shown] = {shown.state: shown for shown in SHOWN}
UNOBSERVED = Shown(EXAMPLE_STATE_UNSPECIFIED, "unobserved", "Not observed", "No snapshot holds it yet.")


def shown(state: "ExampleState.ValueType") -> Shown:
    """How to show it; an example that no snapshot holds yet is `UNOBSERVED`."""
    return BY_STATE.get(state, UNOBSERVED)


def counts(states: Iterable[StateCount]) -> dict[str, int]:
    """How many examples are in each state, by the state's word, all six present."""
    found = {each.state: each.count for each in states}
    return {each.word: found.get(each.state, 0) for each in SHOWN}
