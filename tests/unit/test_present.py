"""The present as control/queue.json and control/current_state.json show it."""

import json

from made_events import DATASET, JOB, beginning, numbered, step

from guessbook.projections import book as book_fold
from guessbook.projections.present import current_state, queue_part
from guessbook.proto import events_pb2 as e

NOW_US = 60_000_000


def queued(name: str, priority: e.Priority.ValueType = e.PRIORITY_NORMAL) -> e.Event:
    return e.Event(
        subject=f"job/{name}", job_queued=e.JobQueued(name=f"{name}.jsonl", dataset=DATASET, priority=priority)
    )


def shown(*more: e.Event) -> dict[str, object]:
    return current_state(book_fold.fold(numbered([*beginning(), *more])), NOW_US)


def test_an_empty_book() -> None:
    state = current_state(book_fold.fold([]), NOW_US)
    assert queue_part(state) == {"active": None, "queued": [], "paused": [], "completed": []}
    assert (state["queue"], state["queue_ends"]) == ("on", None)


def test_the_job_that_runs() -> None:
    started = e.Event(subject=f"job/{JOB}", job_started=e.JobStarted(run="run-0001"))
    active = shown(started, step(1), step(2))["active"]
    assert isinstance(active, dict)
    eta = active["progress"].pop("eta_minutes")
    assert eta is None or eta > 0
    assert active == {
        "id": JOB,
        "file": "facts.jsonl",
        "priority": "unspecified",
        "started": "1970-01-01T00:00:06Z",
        "progress": {"step": 2, "total_steps": 100, "percent": 2},
        "status": "training",
    }


def test_what_was_asked_of_it_is_its_status() -> None:
    asked = e.Event(subject=f"job/{JOB}", pause_requested=e.PauseRequested())
    active = shown(asked)["active"]
    assert isinstance(active, dict)
    assert active["status"] == "pausing"


def test_those_that_wait_pause_and_have_ended() -> None:
    state = shown(
        e.Event(subject=f"job/{JOB}", job_completed=e.JobCompleted(step=3)),
        queued("slow", e.PRIORITY_LOW),
        queued("soon", e.PRIORITY_HIGH),
        queued("rests"),
        e.Event(subject="job/rests", job_paused=e.JobPaused(step=7)),
        queued("never"),
        e.Event(subject="job/never", job_cancelled=e.JobCancelled()),
        queued("bad"),
        e.Event(subject="job/bad", job_leased=e.JobLeased(run="run-0002")),
        e.Event(subject="job/bad", job_failed=e.JobFailed(error="no room")),
    )
    assert state["active"] is None
    assert [(one["id"], one["priority"], one["estimated_start"]) for one in _list(state, "queued")] == [
        ("soon", "high", None),
        ("slow", "low", None),
    ]
    assert [(one["id"], one["step"]) for one in _list(state, "paused")] == [("rests", 7)]
    assert _list(state, "completed") == [
        {"id": JOB, "file": "facts.jsonl", "completed_at": "1970-01-01T00:00:06Z", "version_created": None}
    ]
    assert [one["id"] for one in _list(state, "cancelled")] == ["never"]
    assert [(one["id"], one["error"]) for one in _list(state, "failed")] == [("bad", "no room")]
    assert json.loads(json.dumps(state)) == state


def _list(state: dict[str, object], name: str) -> list[dict[str, object]]:
    found = state[name]
    assert isinstance(found, list)
    return found


def test_another_programs_job_that_was_cut_off_is_shown() -> None:
    theirs = e.JobQueued(name="theirs.jsonl", dataset=DATASET, external=True)
    state = shown(
        e.Event(subject="job/theirs", job_queued=theirs),
        e.Event(subject="job/theirs", job_leased=e.JobLeased(run="run-0002")),
        e.Event(subject="job/theirs", job_interrupted=e.JobInterrupted()),
        e.Event(subject=f"job/{JOB}", job_interrupted=e.JobInterrupted()),
    )
    assert [one["id"] for one in _list(state, "interrupted")] == ["theirs"]
    assert [one["id"] for one in _list(state, "queued")] == [JOB], "a trainer takes that up again"


def test_a_file_of_the_inbox_is_shown_by_its_name_in_the_data_folder() -> None:
    moved = e.FileReceived(job=JOB, moved_to="data/active/20251116_143000_facts.jsonl")
    active = shown(e.Event(subject="inbox", file_received=moved))["active"]
    assert isinstance(active, dict)
    assert active["file"] == "20251116_143000_facts.jsonl"
