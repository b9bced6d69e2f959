"""What the CLI shows for given messages: the words, at 80 columns and wider, and nothing a model's output could break."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from rich.console import Console, Group, RenderableType

from guessbook.clients import cautions
from guessbook.clients.cli import (
    compare_view,
    curve,
    event_view,
    example_view,
    job_view,
    queue_view,
    run_view,
    status_view,
    version_view,
)
from guessbook.clients.cli.paging import Page
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
            step=one.step,
            guess=one.guess,
            loss=one.loss,
            correct=one.correct,
            confidence=0.5,
            state=one.state,
            guessed=True,
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
    assert "Learned at step 25 ✓" in [line.strip() for line in lines]


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


@pytest.mark.parametrize(
    ("page", "shown", "told"),
    [
        (Page(1, 2), 2, "1-2 of 5 that match, 9 in all · page 1 of 3, --page 2 shows the next"),
        (Page(3, 2), 1, "5-5 of 5 that match, 9 in all · page 3 of 3"),
        (Page(4, 2), 0, "page 4 is behind the last one: there are 3, with 5 in all"),
    ],
)
def test_a_page_says_where_in_the_list_it_is(page: Page, shown: int, told: str) -> None:
    assert page.told(shown, matching=5, total=9) == told


def test_a_list_shows_the_states_as_letters_and_says_what_they_mean() -> None:
    states = history_pb2.ExampleState.values()
    example = history_pb2.Example(id="a", prompt="1+1?", strip=states, state=history_pb2.EXAMPLE_STATE_REGRESSED)
    page = history_pb2.ListExamplesResponse(examples=[example], matching=1, total=1, snapshot_steps=range(len(states)))
    shown = text(example_view.table(page, 120), 120)
    assert "·UNSILR" in shown
    for meaning in ("L learned", "I improving", "S struggling", "N not learned", "R regressed", "U unknown"):
        assert meaning in shown
    assert "· not seen; a letter a snapshot, at step 0, 1, 2, 3, 4, 5, 6" in " ".join(shown.split())


def test_a_list_marks_what_is_held_out() -> None:
    example = history_pb2.Example(id="exam", prompt="1+1?", held_out=True)
    page = history_pb2.ListExamplesResponse(examples=[example], matching=1, total=1)
    shown = text(example_view.table(page, 80))
    assert "*exam" in shown
    assert "* held out: watched, never trained on" in shown


def test_a_strip_that_is_too_long_shows_its_end() -> None:
    learned, unknown = history_pb2.EXAMPLE_STATE_LEARNED, history_pb2.EXAMPLE_STATE_UNKNOWN
    example = history_pb2.Example(strip=[unknown] * 50 + [learned])
    assert example_view.state_strip(example, 5).plain == "…UUUL"
    assert example_view.state_strip(example, 51).plain == "U" * 50 + "L"


def test_a_story_marks_what_changed_in_a_guess() -> None:
    told = trajectory(
        [
            Seen(0, "The capital is Khantak.", 3.0, False, history_pb2.EXAMPLE_STATE_UNKNOWN),
            Seen(10, "The capital is Ulaanbaatar.", 1.0, False, history_pb2.EXAMPLE_STATE_IMPROVING),
            Seen(25, "Something else entirely", 1.0, False, history_pb2.EXAMPLE_STATE_STRUGGLING),
        ]
    )
    shown = text(example_view.story(told, 120), 120)
    assert "The capital is [-Khantak.-] {+Ulaanbaatar.+}" in shown
    assert "✗  Something else entirely " in shown  # too little is left to mark it


def test_a_story_says_what_was_measured_only() -> None:
    told = trajectory(MONGOLIA)
    told.observations[1].guessed = False
    shown = text(example_view.story(told, 120), 120)
    assert "(measured only, to keep the budget)" in shown
    assert "Ulan Bator" not in shown


def test_a_story_counts_presentations_and_gives_the_place_on_the_data_map_and_the_neighbours() -> None:
    told = trajectory(MONGOLIA)
    told.previous, told.next = 1, 3
    example = told.example
    example.presentations, example.presentations_to_learn, example.presentations_to_learn_for_good = 12, 1, 5
    example.map_confidence, example.map_variability, example.map_correctness = 0.521, 0.31, 0.5
    shown = text(example_view.story(told, 120), 120)
    assert "Trained on 12 times, once before it was right first, 5 times before it was right for good" in shown
    assert "Data map: confidence 0.52, variability 0.31, right at 50 % of the snapshots" in shown
    assert shown.splitlines()[-1].strip() == 'previous "#1" · next "#3"'
    example.held_out = True
    assert "Held out: watched, never trained on" in text(example_view.story(told, 120), 120)


def compared(change: "history_pb2.Change.ValueType", before: str, after: str) -> history_pb2.ComparedExample:
    was, now = history_pb2.Observation(guess=before, loss=2), history_pb2.Observation(guess=after, loss=0.5)
    return history_pb2.ComparedExample(id="sum", prompt="2+2?", expected="4", change=change, before=was, after=now)


COMPARISON = history_pb2.CompareResponse(
    before=history_pb2.RunStep(run="run-0001", step=0),
    after=history_pb2.RunStep(run="run-0002", step=50),
    counts=[
        history_pb2.ChangeCount(change=history_pb2.CHANGE_FIXED, count=3),
        history_pb2.ChangeCount(change=history_pb2.CHANGE_BROKEN, count=1),
    ],
    only_after=2,
    matching=4,
    mean_loss_before=2.5,
    mean_loss_after=0.25,
    examples=[
        compared(history_pb2.CHANGE_FIXED, "It is 5, I think", "It is 4, I think"),
        compared(history_pb2.CHANGE_BROKEN, "four", "four"),
    ],
)


def test_a_comparison_counts_and_shows_both_guesses() -> None:
    shown = text(compare_view.comparison(COMPARISON, Page(1, 2)))
    assert "run-0001 step 0 → run-0002 step 50" in shown
    assert "fixed 3 · broken 1 · still wrong 0 · still right 0" in shown
    assert "mean loss 2.50 → 0.25" in shown
    assert "2 examples are only in what came after" in shown
    assert "✗→✓  sum 2+2?" in shown
    assert "was      It is 5, I think" in shown
    assert "now      It is [-5,-] {+4,+} I think" in shown
    assert "✓→✗" in shown
    assert "now      the same" in shown
    assert shown.splitlines()[-1].strip() == "1-2 of 4 · page 1 of 2, --page 2 shows the next"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_comparison_fits_and_no_guess_steers_the_terminal(width: int) -> None:
    nasty = history_pb2.CompareResponse(
        examples=[compared(history_pb2.CHANGE_FIXED, "\x1b[2J" * 99, "[red]" + "word " * 99)], matching=1
    )
    shown = text(compare_view.comparison(nasty), width)
    assert "\x1b" not in shown
    assert "[red]" in shown
    assert max(len(line) for line in shown.splitlines()) <= width


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


def test_a_run_is_at_100_percent_only_at_its_end() -> None:
    shown = [text(Group(*status_view.run_lines(history_pb2.Run(step=step, total_steps=300)))) for step in (299, 300)]
    assert "299/300 (99 %)" in shown[0]
    assert "300/300 (100 %)" in shown[1]


def test_the_queue_shows_a_job_that_is_held_and_one_that_is_asked_to_pause() -> None:
    held = history_pb2.Job(
        id="a", name="a.jsonl", state=history_pb2.JOB_STATE_QUEUED, held=True, priority=events_pb2.PRIORITY_HIGH
    )
    asked = history_pb2.Job(
        id="b", name="b.jsonl", state=history_pb2.JOB_STATE_ACTIVE, pending="pause", priority=events_pb2.PRIORITY_NORMAL
    )
    shown = text(
        queue_view.table(history_pb2.ListJobsResponse(jobs=[asked, held]), history_pb2.ExplainQueueResponse()), 100
    )
    assert "queued (held)" in shown
    assert "active (pause asked)" in shown
    assert "high" in shown


NOW = int(datetime(2025, 11, 17, 12, 0).timestamp() * 1e6)
MINUTE = 60_000_000
QUEUE = history_pb2.ListJobsResponse(
    jobs=[
        history_pb2.Job(
            id="train_1",
            name="a.jsonl",
            state=history_pb2.JOB_STATE_ACTIVE,
            priority=events_pb2.PRIORITY_NORMAL,
            started_at_us=NOW - 10 * MINUTE,
            skip_pending=True,
        ),
        history_pb2.Job(
            id="train_2", name="b.jsonl", state=history_pb2.JOB_STATE_QUEUED, priority=events_pb2.PRIORITY_URGENT
        ),
        history_pb2.Job(
            id="train_3",
            name="c.jsonl",
            state=history_pb2.JOB_STATE_CANCELLED,
            priority=events_pb2.PRIORITY_LOW,
            started_at_us=NOW - 3000 * MINUTE,
            finished_at_us=NOW - 2990 * MINUTE,
        ),
    ]
)
OUTLOOK = history_pb2.ExplainQueueResponse(
    state=events_pb2.QUEUE_STATE_ON,
    now_us=NOW,
    ends_at_us=NOW + 130 * MINUTE,
    jobs=[
        history_pb2.JobOutlook(
            job="train_1",
            why="runs on box: step 2 of 6",
            starts_at_us=NOW - 10 * MINUTE,
            ends_at_us=NOW + 5 * MINUTE,
            seconds=300,
            basis="its own pace, 75 s a step",
        ),
        history_pb2.JobOutlook(
            job="train_2",
            why="next: box takes it when train_1 is done",
            basis="no run with this base model was measured yet",
        ),
    ],
)


def test_the_queue_shows_when_jobs_began_and_when_they_are_expected() -> None:
    rows = [line.split() for line in text(queue_view.table(QUEUE, OUTLOOK), 100).splitlines()]
    assert ["active", "(skip", "asked)", "a.jsonl", "normal", "train_1", "11:50", "~12:05"] in rows
    assert ["queued", "b.jsonl", "urgent", "train_2", "–", "–"] in rows
    assert ["cancelled", "c.jsonl", "low", "train_3", "11-15", "10:00", "11-15", "10:10"] in rows
    assert ["All", "of", "it", "is", "done", "about", "14:10,", "in", "2", "h", "10", "min."] in rows


def test_the_explanation_says_why_until_when_and_from_what() -> None:
    lines = [line.strip() for line in text(queue_view.explanation(QUEUE, OUTLOOK), 120).splitlines()]
    assert "a.jsonl · train_1 · active (skip asked)" in lines
    assert "runs on box: step 2 of 6" in lines
    assert "5 min 0 s of work left, ends about 12:05 (its own pace, 75 s a step)" in lines
    assert "next: box takes it when train_1 is done" in lines
    assert "how long it takes is not known: no run with this base model was measured yet" in lines


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_queue_fits_the_terminal_and_no_name_steers_it(width: int) -> None:
    nasty = history_pb2.ListJobsResponse(jobs=[history_pb2.Job(id="j", name="\x1b[2J[red]" * 30)])
    outlook = history_pb2.ExplainQueueResponse(
        state=events_pb2.QUEUE_STATE_OFF, reason="\x1b[2J", jobs=[history_pb2.JobOutlook(job="j", why="\x1b[2J")]
    )
    for view in (queue_view.table(nasty, outlook), queue_view.explanation(nasty, outlook)):
        shown = text(view, width)
        assert "\x1b" not in shown
        assert max(len(line) for line in shown.splitlines()) <= width


def test_status_shows_that_the_queue_is_off_and_every_job_that_runs() -> None:
    active = history_pb2.Job(id="train_1", run="r1", name="a.jsonl", trainer="box")
    other = history_pb2.Job(id="train_2", run="r2", name="b.jsonl", trainer="gpu", pending="stop")
    answer = history_pb2.Status(
        active=active,
        active_jobs=[active, other],
        run=history_pb2.Run(id="r1", name="a.jsonl"),
        queue=events_pb2.QUEUE_STATE_OFF,
        queue_reason="new GPU",
        cancelled=2,
    )
    shown = text(status_view.status(answer), 100)
    assert "The queue is off: new GPU; no job is begun." in shown
    assert "▶ a.jsonl · run r1" in shown
    assert "▶ b.jsonl · run r2 on gpu · stop asked" in shown
    assert shown.count("a.jsonl") == 1
    assert "2 cancelled" in shown


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
    shown = text(version_view.tree(history_pb2.ListVersionsResponse(versions=[version, unmeasured])))
    assert "25 % → 100 %" in shown
    assert "-100 %" not in shown


def test_an_event_is_one_line_of_facts() -> None:
    step = events_pb2.StepCompleted(step=12, loss=0.5, example_index=[1, 2])
    event = events_pb2.Event(position=40, actor="trainer:box1", subject="run/r1", step_completed=step)
    line = event_view.line(event).plain
    assert "StepCompleted run/r1 step=12 loss=0.5 example_index[2] by trainer:box1" in line
    assert "newer version" in event_view.line(events_pb2.Event(position=41)).plain
    observed = events_pb2.ExamplesObserved(measures=bytes(1234))
    assert event_view.facts(observed) == ["measures[1,234 bytes]"]


def test_a_curve_is_highest_at_its_highest_loss() -> None:
    lines = curve.draw([(5, 0.4)], [(0, 4.0), (10, 0.04)], width=40, height=5)
    assert lines[0].startswith("4.000 ┤●")
    assert lines[2].startswith("0.400 ┤")  # a tenth is as far down as a tenth of that
    assert lines[2].count("·") == 1
    assert lines[4].endswith("●")
    assert max(map(len, lines)) <= 40
    assert curve.draw([], [], width=40) == []


@pytest.mark.parametrize(
    "losses", [[0.0], [0.0, 0.0], [2.0, 2.0], [float("nan"), 1.0], [1e9, 1e-9], [float("inf"), 0.1]]
)
def test_a_curve_takes_any_losses(losses: list[float]) -> None:
    lines = curve.draw(list(enumerate(losses)), [(0, losses[-1])], width=30)
    assert max(map(len, lines)) <= 30
    assert any("●" in line for line in lines)


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
