"""The dashboard over a model that is really trained, by a trainer in a process of its own that obeys the buttons."""

import re
from pathlib import Path

import pytest
from e2e.processes import Dashboard, TrainerProcess
from eventually import eventually
from made_events import write_questions
from playwright.sync_api import Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto import events_pb2 as e

EXAMPLES = 12


@pytest.fixture
def job(server: ServerProcess, book: Guessbook, model_folder: Path, tmp_path: Path) -> str:
    """It would go on for hours."""
    config = e.TrainingConfig(
        base_model=str(model_folder),
        max_steps=1_000_000,
        save_steps=1_000_000,
        snapshot_steps=[3],
        max_new_tokens=4,
        per_device_train_batch_size=4,
    )
    return book.submit(write_questions(tmp_path / "sums.jsonl", EXAMPLES), config=config).job.id


def press(page: Page, name: str) -> None:
    page.locator(".commands").get_by_role("button", name=name).click()


def confirm(page: Page, name: str) -> None:
    press(page, name)
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def count(book: Guessbook, job: str, kind: str) -> int:
    """How many events of the job are of that kind."""
    return sum(event.WhichOneof("body") == kind for event in book.read(1, [f"job/{job}"]))


def test_a_model_is_watched_and_steered(
    page: Page, dashboard: Dashboard, server: ServerProcess, book: Guessbook, job: str
) -> None:
    page.goto(dashboard.page("/"))
    expect(page.locator("#job-state")).to_have_text("queued")
    with TrainerProcess(server.home.root, server.address, "box"):
        expect(page.locator("#job-state")).to_have_text("active", timeout=60_000)
        # A snapshot before training and one at step 3; then steps, as they come.
        expect(page.locator("#accuracy")).to_contain_text("at step 3")
        first = page.locator("#now-step").inner_text()
        expect(page.locator("#now-step")).not_to_have_text(first)

        press(page, "Snapshot")
        expect(page.locator("#accuracy")).to_have_text(re.compile(r"at step (?!3$)[\d,]+$"))
        confirm(page, "Skip batch")
        eventually(lambda: count(book, job, "batch_skipped"))

        confirm(page, "Pause")
        expect(page.locator("#job-state")).to_have_text("paused")
        paused = book.run()
        expect(page.locator("#step")).to_have_text(f"Step {paused.step:,}")
        press(page, "Resume")
        expect(page.locator("#job-state")).to_have_text("active")
        eventually(lambda: book.run().step > paused.step)
        assert count(book, job, "job_paused") == count(book, job, "job_resumed") == 1

        confirm(page, "Cancel")
        expect(page.locator("#job-state")).to_have_text("cancelled")
    run = book.run()
    snapshots = [snapshot.step for snapshot in run.snapshots]
    assert snapshots[:2] == [0, 3]
    assert len(snapshots) == 3

    page.goto(dashboard.page("/evolution", f"at={run.snapshots[0].position}"))
    expect(page.locator("#line-word")).to_have_text("Past")
    expect(page.locator("#matching")).to_contain_text(f"{EXAMPLES} examples")
    page.locator(".ag-row").first.locator('[col-id="prompt"]').click()
    expect(page.locator(".guess")).to_have_count(1)
    page.locator("#to-live").click()
    expect(page.locator(".guess")).to_have_count(len(snapshots))
