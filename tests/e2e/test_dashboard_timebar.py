"""The time bar in a real browser: to a point in the past and back, by key, by mouse and by the back button."""

import json
import re
from pathlib import Path

import pytest
from e2e.browser import settle
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Locator, Page, expect

from guessbook.clients.client import Guessbook


@pytest.fixture
def snapshots(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> dict[int, int]:
    """A run with two snapshots, and their positions by step."""
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps({"prompt": "Capital of Peru?", "completion": "Lima"}) + "\n")
    book.submit(path)
    trainer.take(total_steps=20, examples=1)
    trainer.snapshot(0, ["Rome"], [False], [4.0])
    trainer.steps(1, 10, [1.0])
    trainer.snapshot(10, ["Lima"], [True], [0.1])
    return {snapshot.step: snapshot.position for snapshot in book.run().snapshots}


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Point in the log's time")


def at(position: int) -> re.Pattern[str]:
    return re.compile(rf"[?&]at={position}$")


def test_the_arrows_go_from_mark_to_mark_and_the_address_follows(
    page: Page, dashboard: Dashboard, snapshots: dict[int, int]
) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(page.locator("#past-text")).to_have_text("Viewing live")
    expect(page.locator(".past-mark.snapshot")).to_have_count(2)
    expect(page.locator("#to-live")).to_be_disabled()
    expect(slider(page)).to_be_enabled()
    slider(page).press("ArrowLeft")
    expect(page).to_have_url(at(snapshots[10]))
    expect(slider(page)).to_have_attribute("aria-valuetext", re.compile("Snapshot at step 10 of facts.jsonl"))
    expect(page.locator("#past-step")).to_contain_text("step 10")
    expect(page.locator("#line-word")).to_have_text("Past")

    slider(page).press("ArrowLeft")
    expect(page).to_have_url(at(snapshots[0]))
    expect(page.locator("#past-more")).to_contain_text(f"position {snapshots[0]}")
    expect(page.locator(".ag-row")).to_contain_text("Rome")
    slider(page).press("Shift+ArrowRight")
    expect(page).to_have_url(at(snapshots[0] + 1))

    page.go_back()
    expect(page).to_have_url(at(snapshots[0]))
    page.reload()
    expect(page.locator("#past-text")).to_have_text("As of")
    expect(page.locator("#past-more")).to_contain_text(f"position {snapshots[0]}")
    slider(page).press("End")
    expect(page.locator("#past-text")).to_have_text("Viewing live")
    expect(page.locator(".ag-row")).to_contain_text("Lima")
    assert "at=" not in page.url


def test_a_click_leads_to_what_the_bar_says_there(page: Page, dashboard: Dashboard, snapshots: dict[int, int]) -> None:
    page.goto(dashboard.link)
    expect(page.locator("#step")).to_have_text("Step 10")
    expect(slider(page)).to_be_enabled()
    settle(page)
    box = slider(page).bounding_box()
    assert box
    mark = page.locator(".past-mark").first.evaluate("mark => mark.getBoundingClientRect().x")
    slider(page).hover(position={"x": mark + 3 - box["x"], "y": box["height"] / 2})
    expect(page.locator(".past-hint")).to_contain_text("Snapshot at step 0 of facts.jsonl")
    page.mouse.down()
    page.mouse.up()
    expect(page).to_have_url(at(snapshots[0]))
    expect(page.locator("#step")).to_have_text("Step 0")
    page.locator("#to-live").click()
    expect(page.locator("#step")).to_have_text("Step 10")


def test_in_the_past_new_events_are_only_counted(
    page: Page, dashboard: Dashboard, trainer: ScriptedTrainer, snapshots: dict[int, int]
) -> None:
    page.goto(dashboard.page("/", f"at={snapshots[10]}"))
    expect(page.locator("#step")).to_have_text("Step 10")
    trainer.steps(11, 13, [0.1])
    expect(page.locator("#past-news")).to_have_text("3 newer events")
    expect(page.locator("#step")).to_have_text("Step 10")


def test_before_a_run_began_the_page_is_of_the_past_all_the_same(
    page: Page, dashboard: Dashboard, trainer: ScriptedTrainer, snapshots: dict[int, int]
) -> None:
    page.goto(dashboard.page("/", f"run={trainer.run}&at=2"))
    expect(page.locator("#past-more")).to_contain_text("position 2")
    expect(page.locator("#line-word")).to_have_text("Past")
    page.locator("#to-live").click()
    expect(page.locator("#step")).to_have_text("Step 10")


def test_a_point_behind_the_end_is_said_to_be_none(page: Page, dashboard: Dashboard, snapshots: dict[int, int]) -> None:
    page.goto(dashboard.page("/", "at=99999"))
    expect(page.locator("#problem")).to_contain_text("99999")
    page.locator("#to-live").click()
    expect(page.locator("#step")).to_have_text("Step 10")


def test_it_fits_a_telephone(page: Page, dashboard: Dashboard, snapshots: dict[int, int]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(dashboard.page("/", f"at={snapshots[0]}"))
    expect(page.locator("#past-step")).to_contain_text("step 0")
    expect(page.locator("#to-live")).to_be_in_viewport()
    box = slider(page).bounding_box()
    assert box
    assert box["width"] > 330
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
