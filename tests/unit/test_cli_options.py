"""What people write for states, stages and pages, and what is asked for by it."""

import pytest
import typer

from guessbook.clients.cli.compare import parse_stage
from guessbook.clients.cli.filtering import State, wanted
from guessbook.proto.history_pb2 import (
    EXAMPLE_STATE_IMPROVING,
    EXAMPLE_STATE_LEARNED,
    EXAMPLE_STATE_NOT_LEARNED,
    EXAMPLE_STATE_REGRESSED,
    EXAMPLE_STATE_STRUGGLING,
    EXAMPLE_STATE_UNKNOWN,
    EXAMPLE_STATE_UNSPECIFIED,
    ExampleState,
    RunStep,
    Stage,
)

NEVER = {EXAMPLE_STATE_IMPROVING, EXAMPLE_STATE_STRUGGLING, EXAMPLE_STATE_NOT_LEARNED, EXAMPLE_STATE_UNKNOWN}
EVER = {EXAMPLE_STATE_LEARNED, EXAMPLE_STATE_REGRESSED}


def test_every_state_has_a_word() -> None:
    named = {number for state in State for number in state.numbers()}
    assert named == set(ExampleState.values()) - {EXAMPLE_STATE_UNSPECIFIED}


def test_without_a_filter_any_state_is_meant() -> None:
    assert wanted(None, None) == wanted([], []) == []


def test_states_add_up_and_those_without_are_taken_away() -> None:
    assert set(wanted([State.NEVER_LEARNED], None)) == NEVER
    assert set(wanted([State.LEARNED, State.REGRESSED], None)) == EVER
    assert set(wanted([State.NEVER_LEARNED], [State.UNKNOWN])) == NEVER - {EXAMPLE_STATE_UNKNOWN}


def test_without_a_state_an_example_nobody_looked_at_stays() -> None:
    assert set(wanted(None, [State.NEVER_LEARNED])) == EVER | {EXAMPLE_STATE_UNSPECIFIED}


def test_a_filter_that_leaves_no_state_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        wanted([State.LEARNED], [State.LEARNED])


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("v001_20251116_facts", Stage(version="v001_20251116_facts")),
        ("latest", Stage(run="latest")),
        ("run-0001", Stage(run="run-0001")),
        ("run-0001@0", Stage(run_step=RunStep(run="run-0001", step=0))),
        ("latest@25", Stage(run_step=RunStep(run="latest", step=25))),
    ],
)
def test_a_stage_is_a_version_a_run_or_a_step(text: str, stage: Stage) -> None:
    assert parse_stage(text) == stage


@pytest.mark.parametrize("text", ["run@", "@5", "run@x", "run@-1", "run@99999999999999999999", "run@²"])
def test_what_is_no_stage_is_said(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="RUN@STEP"):
        parse_stage(text)
