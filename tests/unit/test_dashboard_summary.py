"""What the page says of a run and of the jobs around it."""

from collections.abc import Iterator

import pytest

from guessbook.clients.dashboard import role, summary
from guessbook.clients.dashboard.view import View
from guessbook.proto.events_pb2 import PRIORITY_HIGH
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_QUEUED,
    Job,
    Run,
    Snapshot,
    Status,
    Trainer,
)

SNAPSHOTS = [
    Snapshot(step=0, examples=3, correct=0, complete=True, position=10),
    Snapshot(step=5, examples=3, correct=2, complete=True, position=20),
    Snapshot(step=9, examples=3, complete=False, position=30),
]
RUN = Run(id="r1", job="j1", step=9, total_steps=20, examples=3, tracked=3, snapshots=SNAPSHOTS, eta_seconds=61)
ACTIVE = Job(id="j1", name="facts.jsonl", state=JOB_STATE_ACTIVE, run="r1", priority=PRIORITY_HIGH, trainer="box1")


@pytest.fixture(autouse=True)
def _as_owner() -> Iterator[None]:
    asked = role.asking.set(role.OWNER)
    yield
    role.asking.reset(asked)


def test_a_guest_has_no_commands() -> None:
    role.asking.set(role.GUEST)
    assert summary.describe(View(), Status(position=20), RUN, [ACTIVE])["commands"] == []


def test_a_run_that_trains() -> None:
    said = summary.describe(View(), Status(position=31), RUN, [ACTIVE])
    assert said["name"] == "facts.jsonl"
    assert said["state"] == "active"
    assert said["about"] == "high priority · on box1"
    assert said["accuracy"] == "67% at step 5"  # of the last snapshot that is complete
    assert said["eta"] == "1 min 01 s"
    assert said["commands"] == ["snapshot", "skip", "pause", "stop", "cancel"]
    assert not said["empty"]


def test_in_the_past_there_are_no_commands() -> None:
    assert summary.describe(View(at=20), Status(position=20), RUN, [ACTIVE])["commands"] == []


def test_nothing_was_ever_submitted() -> None:
    said = summary.describe(View(), Status(), None, [])
    assert said["empty"]
    assert said["run"] == ""


def test_a_job_that_waits_for_a_trainer_says_how_to_start_one() -> None:
    queued = Job(id="j1", name="facts.jsonl", state=JOB_STATE_QUEUED)
    said = summary.describe(View(), Status(queued=1), None, [queued])
    assert (said["name"], said["run"], said["empty"]) == ("facts.jsonl", "", False)
    assert "guessbook trainer" in said["note"]
    connected = Status(queued=1, trainers=[Trainer(id="box1", connected=True)])
    assert summary.describe(View(), connected, None, [queued])["note"] == ""


def test_a_failure_says_what_to_do() -> None:
    job = Job(id="j1", error="The model has no layers.", hint="Choose another one.")
    assert summary.note(Status(), job, None) == "The model has no layers. Choose another one."


def test_the_page_says_that_answers_were_cut() -> None:
    run = Run()
    run.CopyFrom(RUN)
    run.cut_answers = 2
    said = summary.describe(View(), Status(position=31), run, [ACTIVE])["note"]
    assert said.startswith("2 of 3 answers are longer than max_length")
    run.snapshot_warning = "the snapshot at step 5 failed: boom"
    assert summary.describe(View(), Status(position=31), run, [ACTIVE])["note"].endswith("boom")
