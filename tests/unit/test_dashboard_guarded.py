"""How far an operation is, as the dialog of guarded operations tells it."""

from collections.abc import Iterator

from dash.development.base_component import Component

from guessbook.clients.dashboard import guarded
from guessbook.proto.safety_pb2 import (
    OPERATION_STAGE_BACKED_UP,
    OPERATION_STAGE_COMPLETED,
    OPERATION_STAGE_PERFORMED,
    OPERATION_STAGE_REFUSED,
    OPERATION_STAGE_REQUESTED,
    OPERATION_STAGE_UNDONE,
    Operation,
)


def told(operation: Operation) -> list[str]:
    """Each stage as a line of text."""
    return [" ".join(_texts(stage)).strip() for stage in guarded.stages(operation)]


def _texts(component: Component) -> Iterator[str]:
    children = getattr(component, "children", None)
    for child in children if isinstance(children, list) else [children]:
        if isinstance(child, str):
            yield child
        elif child is not None:
            yield from _texts(child)


def operation(**more: object) -> Operation:
    return Operation(id="a1", kind="delete-version", target="v001_x", **more)  # type: ignore[arg-type]


def test_the_stage_that_is_under_way_is_the_last_line() -> None:
    backed_up = {"backup": "b1", "places": ["local", "nas"]}
    assert told(operation(stage=OPERATION_STAGE_REQUESTED)) == [
        "Asked for Operation a1",
        "A backup is made and read back …",
    ]
    assert told(operation(stage=OPERATION_STAGE_BACKED_UP, **backed_up))[1:] == [
        "Backed up b1 at local, nas",
        "It is done now …",
    ]
    assert told(operation(stage=OPERATION_STAGE_PERFORMED, **backed_up))[2:] == [
        "Performed",
        "What came of it is checked …",
    ]


def test_an_end_says_what_happened_what_is_safe_and_what_to_do() -> None:
    done = operation(stage=OPERATION_STAGE_COMPLETED, backup="b1", places=["local"], checked="v001_x is in the trash")
    assert told(done)[-1] == "Done v001_x is in the trash. The backup before it is b1, at local."
    assert len(told(done)) == 5
    refused = operation(stage=OPERATION_STAGE_REFUSED, error="the disk is full", hint="Nothing was changed. Make room.")
    assert told(refused) == ["Asked for Operation a1", "Refused The disk is full. Nothing was changed. Make room."]
    undone = operation(
        stage=OPERATION_STAGE_UNDONE, backup="b1", places=["local"], error="it broke", hint="All is well."
    )
    assert told(undone)[1:] == ["Backed up b1 at local", "Undone It broke. All is well."]


def test_a_plan_is_told_in_sentences_that_leave_names_as_they_are() -> None:
    lines = [text for step in guarded.steps(["latest moves", "v001_x goes"]) for text in _texts(step)]
    assert lines == ["Latest moves", "v001_x goes"]
