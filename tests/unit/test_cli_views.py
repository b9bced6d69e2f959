"""What the CLI shows for given messages: the words, at 80 columns and wider, and nothing a model's output could break."""

from dataclasses import dataclass

import pytest
from rich.console import Console, RenderableType

from guessbook.clients import cautions
from guessbook.clients.cli import curve, event_view, example_view, job_view, run_view, status_view
from guessbook.proto import control_pb2, events_pb2, history_pb2


def text(view: RenderableType, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


@dataclass(frozen=True)
class Seen:
    step: int
    guess: str
    loss: float
    correct: bool
    state: history_pb2.ExampleState.ValueType


MONGOLIA = [
    Seen(0, "The capital of Mongolia is Khantak.", 3.21, False, history_pb2.EXAMPLE_STATE_UNKNOWN),
    Seen(10, "Ulan Bator", 1.2, False, history_pb2.EXAMPLE_STATE_IMPROVING),
    Seen(25, "Ulaanbaatar", 0.08, True, history_pb2.EXAMPLE_STATE_LEARNED),
]


def trajectory(seen: list[Seen]) -> history_pb2.Trajectory:
    observations = [
        history_pb2.Observation(
            step=one.step, guess=one.guess, loss=one.loss, correct=one.correct, confidence=0.5, state=one.state
        )
        for one in seen
    ]
    example = history_pb2.Example(
        index=2,
        id="capital-of-mongolia",
        prompt="What is the capital of Mongolia?",
        expected="Ulaanbaatar",
        tracked=True,
    )
    if observations:
        example.latest.CopyFrom(observations[-1])
        example.state = observations[-1].state
    visits = [history_pb2.Visit(step=4, loss=2.5), history_pb2.Visit(step=20, loss=0.4)]
    return history_pb2.Trajectory(run="r1", example=example, observations=observations, visits=visits)


def test_a_story_tells_step_guess_right_or_wrong_loss_and_when_it_was_learned() -> None:
    told = trajectory(MONGOLIA)
    told.example.learned_step = told.example.first_learned_step = 25
    lines = text(example_view.story(told, 80)).splitlines()
    rows = [line.split() for line in lines if "✗" in line or "✓" in line][:3]
    assert [(row[0], row[1]) for row in rows] == [("0", "✗"), ("10", "✗"), ("25", "✓")]
    assert "Khantak" in " ".join(rows[0])
    assert "3.21" in rows[0]
    assert lines[-1].strip() == "Learned at step 25 ✓"


def test_a_story_of_something_forgotten_says_when() -> None:
    told = trajectory(MONGOLIA)
    told.example.first_learned_step, told.example.regressed_step = 25, 50
    told.example.forgetting_events = 1
    assert "Regressed at step 50 ✗ (right for the first time at step 25)" in text(example_view.story(told, 80))


def test_a_story_of_something_learned_again_says_so() -> None:
    told = trajectory(MONGOLIA)
    told.example.first_learned_step, told.example.learned_step, told.example.forgetting_events = 10, 50, 2
    verdict = example_view.verdict(told.example).plain
    assert verdict == "Learned at step 50 ✓ (right for the first time at step 10, forgotten 2 times since)"


def test_a_story_without_observations_says_so() -> None:
    assert "Never observed" in text(example_view.story(trajectory([]), 80))


def test_a_model_cannot_steer_the_terminal_or_the_markup() -> None:
    nasty = Seen(0, "\x1b[2J[red]gone[/red]\r\x07\u202e", 1.0, False, history_pb2.EXAMPLE_STATE_UNKNOWN)
    shown = text(example_view.story(trajectory([nasty]), 120))
    assert "\\x1b[2J[red]gone[/red]\\r\\x07\\u202e" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    long = [Seen(0, "word " * 200, 12.5, False, history_pb2.EXAMPLE_STATE_NOT_LEARNED)]
    told = trajectory(long)
    page = history_pb2.ListExamplesResponse(examples=[told.example] * 3, matching=3, total=3)
    for view in (example_view.story(told, width, full=True), example_view.table(page, width)):
        assert max(len(line) for line in text(view, width).splitlines()) <= width


def test_long_guesses_are_cut_unless_they_are_wanted_whole() -> None:
    told = trajectory([Seen(0, "x" * 1000, 1.0, False, history_pb2.EXAMPLE_STATE_UNKNOWN)])
    assert text(example_view.story(told, 80)).count("x") < 300
    assert text(example_view.story(told, 80, full=True)).count("x") >= 1000


def test_a_list_says_how_many_of_how_many() -> None:
    example = trajectory(MONGOLIA).example
    page = history_pb2.ListExamplesResponse(examples=[example], matching=5, total=36)
    assert text(example_view.table(page, 80)).splitlines()[-1].strip() == "1 of 5 that match, 36 in all"
    none = history_pb2.ListExamplesResponse(total=36)
    assert "No example matches (36 in all)" in text(example_view.table(none, 80))


def test_status_before_anything_was_submitted_says_what_to_do() -> None:
    assert "guessbook submit FILE" in text(status_view.status(history_pb2.Status()))


def test_status_of_the_past_says_so_and_shows_the_run_of_then() -> None:
    snapshot = history_pb2.Snapshot(step=25, correct=30, examples=36, complete=True)
    states = [history_pb2.StateCount(state=history_pb2.EXAMPLE_STATE_LEARNED, count=30)]
    run = history_pb2.Run(id="r1", name="facts.jsonl", step=30, total_steps=60, loss=0.8, eta_seconds=72, states=states)
    run.snapshots.append(snapshot)
    answer = history_pb2.Status(position=12, head=40, past=True, run=run, active=history_pb2.Job(run="r1"))
    shown = text(status_view.status(answer))
    assert "As of position 12" in shown
    assert "step 30/60 (50 %) · 1 min 12 s to go" in shown
    assert "right 30 of 36 at step 25" in shown
    assert "learned 30" in shown


def test_the_queue_shows_a_job_that_is_held_and_one_that_is_asked_to_pause() -> None:
    held = history_pb2.Job(
        id="a", name="a.jsonl", state=history_pb2.JOB_STATE_QUEUED, held=True, priority=events_pb2.PRIORITY_HIGH
    )
    asked = history_pb2.Job(
        id="b", name="b.jsonl", state=history_pb2.JOB_STATE_ACTIVE, pending="pause", priority=events_pb2.PRIORITY_NORMAL
    )
    shown = text(job_view.table(history_pb2.ListJobsResponse(jobs=[asked, held])), 100)
    assert "queued (held)" in shown
    assert "active (pause asked)" in shown
    assert "high" in shown


def test_a_rejected_file_names_its_lines_and_why() -> None:
    report = "2 of 200 lines can't be read.\n  line 7: not JSON\n  line 9: not JSON\x1b\nNothing was queued."
    preview = [history_pb2.Example(index=0, prompt="What is 1+1?", expected="2")]
    answer = control_pb2.SubmitJobResponse(rejected=True, report=report, preview=preview)
    shown = text(job_view.submitted(answer))
    assert "0  What is 1+1?" in shown
    assert "line 7: not JSON" in shown
    assert "line 9: not JSON\\x1b" in shown
    assert "Nothing was queued." in shown


def test_runs_and_versions_show_what_was_right() -> None:
    run = history_pb2.Run(id="r1", name="f", step=5, total_steps=9, state=history_pb2.JOB_STATE_ACTIVE)
    assert "5/9" in text(run_view.table(history_pb2.ListRunsResponse(runs=[run])))
    version = history_pb2.Version(name="v001_20251116_facts", baseline_accuracy=0.25, final_accuracy=1.0)
    unmeasured = history_pb2.Version(name="v002_20251117_facts", baseline_accuracy=-1)
    shown = text(run_view.versions(history_pb2.ListVersionsResponse(versions=[version, unmeasured])))
    assert "25 % → 100 %" in shown
    assert "-100 %" not in shown


def test_an_event_is_one_line_of_facts() -> None:
    step = events_pb2.StepCompleted(step=12, loss=0.5, example_index=[1, 2])
    event = events_pb2.Event(position=40, actor="trainer:box1", subject="run/r1", step_completed=step)
    line = event_view.line(event).plain
    assert "StepCompleted run/r1 step=12 loss=0.5 example_index[2] by trainer:box1" in line
    assert "newer version" in event_view.line(events_pb2.Event(position=41)).plain


def test_a_curve_is_highest_at_its_highest_loss() -> None:
    lines = curve.draw([(5, 2.0)], [(0, 4.0), (10, 0.0)], width=40, height=5)
    assert lines[0].startswith(" 4.00 ┤●")
    assert lines[2].count("·") == 1
    assert lines[4].endswith("●")
    assert max(map(len, lines)) <= 40
    assert curve.draw([], [], width=40) == []


CUT = history_pb2.Run(
    id="r1",
    examples=200,
    truncated_examples=30,
    cut_answers=12,
    config=events_pb2.TrainingConfig(max_length=128),
)


def test_answers_that_were_cut_are_spoken_of_wherever_the_run_is_shown() -> None:
    said = "12 of 200 answers are longer than max_length (128 tokens) leaves room for and were cut: they can't come out right."
    runs = run_view.table(history_pb2.ListRunsResponse(runs=[CUT, history_pb2.Run(id="r2")]))
    assert f"r1: {said}" in text(runs, 200)
    assert "r2:" not in text(runs, 200)
    assert said in text(status_view.status(history_pb2.Status(run=CUT)), 200)
    page = history_pb2.ListExamplesResponse(examples=[trajectory(MONGOLIA).example], matching=1, total=1)
    assert said in text(example_view.table(page, 200, cautions.cut(CUT)), 200)


def test_a_cut_prompt_alone_is_spoken_of_too_and_nothing_if_all_fits() -> None:
    run = history_pb2.Run(examples=3, truncated_examples=1, config=CUT.config)
    assert cautions.cut(run) == "1 of 3 examples are longer than max_length (128 tokens) and were cut."
    assert cautions.cut(history_pb2.Run(examples=3)) == ""
