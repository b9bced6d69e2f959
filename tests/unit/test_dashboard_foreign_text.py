"""Foreign text on the pages: wherever it stands, what hides in it or would turn what follows is spelled out."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dash.development.base_component import Component

from guessbook.clients.dashboard import guarded, problem, summary
from guessbook.clients.dashboard.audit import details, operations
from guessbook.clients.dashboard.audit.asked import Asked
from guessbook.clients.dashboard.evolution import categories, filters, rows
from guessbook.clients.dashboard.training import inbox, queue, submit_preview
from guessbook.clients.dashboard.versions import comparison, notes
from guessbook.clients.dashboard.versions.choice import Choice
from guessbook.clients.dashboard.view import View
from guessbook.clients.errors import GuessbookError
from guessbook.clients.visible import visible
from guessbook.proto import control_pb2 as c
from guessbook.proto import events_pb2 as e
from guessbook.proto import history_pb2 as h
from guessbook.proto import safety_pb2 as s

HOSTILE = "a\u202eb\x07c\x1b[31m"
SPELLED = "a\\u202eb\\x07c\\x1b[31m"
ASSETS = Path(__file__).parents[2] / "clients" / "dashboard" / "assets"


def compared(change: "h.Change.ValueType", before: str, after: str) -> list[Component]:
    example = h.ComparedExample(
        id=HOSTILE,
        prompt=HOSTILE,
        expected=HOSTILE,
        change=change,
        before=h.Observation(guess=before),
        after=h.Observation(guess=after),
    )
    counts = [h.ChangeCount(change=change, count=1)]
    return comparison.section(h.CompareResponse(counts=counts, matching=1, examples=[example]), Choice(), "")


SUMMARY = h.SummariseExamplesResponse(
    matching=1,
    categories=[
        h.CategorySummary(category=HOSTILE, count=1, states=[h.StateCount(state=h.EXAMPLE_STATE_LEARNED, count=1)])
    ],
    category_count=1,
)
OPERATION = s.Operation(kind="rollback", target=HOSTILE, reason=HOSTILE, actor=HOSTILE, error=HOSTILE, hint=HOSTILE)
EXAMPLE = h.Example(prompt=HOSTILE, expected=HOSTILE, category=HOSTILE, latest=h.Observation(guess=HOSTILE))
JOB = h.Job(id="job-1", name=HOSTILE, state=h.JOB_STATE_FAILED, error=HOSTILE)
READ = c.SubmitJobResponse(examples=1, lines=2, error_count=1, errors=[e.LineError(reason=HOSTILE)], preview=[EXAMPLE])

PLACES = {
    "two guesses compared": compared(h.CHANGE_FIXED, f"first {HOSTILE}", f"second {HOSTILE}"),
    "one guess compared": compared(h.CHANGE_BROKEN, HOSTILE, ""),
    "category bars": categories.bars(SUMMARY, "")[0],
    "choice of a category": [each["label"] for each in filters.category_choices(SUMMARY)],
    "list of examples": [str(cell) for cell in map(rows.cut, [HOSTILE])],
    "notes": notes.section(h.Version(name="v001", notes=HOSTILE))[0],
    "list of operations": operations.table([OPERATION], Asked(), "", True),
    "one operation": operations.details(OPERATION, [], ""),
    "one event": details.event(
        e.Event(subject=HOSTILE, actor=HOSTILE, queue_changed=e.QueueChanged(reason=HOSTILE)), ""
    ),
    "queue": queue.job_rows([JOB], h.ExplainQueueResponse(), "", View(), steered=True),
    "queue's reason": queue.note(h.ExplainQueueResponse(state=e.QUEUE_STATE_OFF, reason=HOSTILE)),
    "inbox": inbox.inbox_rows(
        [e.Event(recorded_at_us=1, file_received=e.FileReceived(file=HOSTILE, reason=HOSTILE))], 2
    ),
    "a file to submit": submit_preview.found(READ),
    "the shown job": [str(summary.describe(View(), h.Status(), None, [JOB])[key]) for key in ("name", "note")],
    "a failure": problem.told(GuessbookError(HOSTILE, HOSTILE)),
    "a plan": guarded.steps([HOSTILE]),
}


def said(shown: object) -> list[str]:
    """All that is read or hovered over."""
    if isinstance(shown, Component):
        return [*said(getattr(shown, "children", "")), str(getattr(shown, "title", ""))]
    if isinstance(shown, list | tuple):
        return [text for part in shown for text in said(part)]
    return [str(shown)]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_hides_in_it(place: str) -> None:
    told = " ".join(said(PLACES[place]))
    assert not re.search(r"[\u202e\x07\x1b]", told)
    assert "\\u202e" in told


def test_the_browser_spells_as_python_does() -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    text = f"{HOSTILE}\t\r\n\u200c\u200d\x85\xad\u2028\u3000\U000e0001é👩\u200d🔬"
    script = (
        "const nothing = { addEventListener() {} }, window = { ...nothing }, document = nothing;"
        + (ASSETS / "address.js").read_text()
        + ";process.stdout.write(window.guessbook.visible(process.argv[1]))"
    )
    told = subprocess.run([node, "-e", script, "--", text], capture_output=True, check=True, timeout=30)
    assert told.stdout.decode() == visible(text)
    assert visible(HOSTILE) == SPELLED
