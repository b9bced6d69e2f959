"""The read-only link: a guest sees everything and changes nothing."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Page, expect

from guessbook.clients.client import Guessbook


@pytest.fixture
def training(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps({"prompt": "What is the capital of Peru?", "completion": "Lima"}) + "\n")
    book.submit(path)
    trainer.take(total_steps=20, examples=1)
    trainer.snapshot(0, ["Rome"], [False], [4.0])
    return trainer


def shared_link(page: Page, dashboard: Dashboard, path: str) -> str:
    page.goto(dashboard.page(path))
    page.get_by_role("button", name="Share").click()
    link = page.get_by_label("Read-only link", exact=True)
    expect(page.get_by_role("dialog")).to_contain_text("can change nothing")
    return link.input_value()


def become(page: Page, link: str) -> None:
    """From now on the browser is a guest's. At once: what an open page asks without a cookie is refused."""
    owner = page.context.cookies()[0]
    guest = parse_qs(urlsplit(link).query)["token"][0]
    page.context.add_cookies([{**owner, "value": guest}])  # type: ignore[typeddict-item]


def test_a_guest_sees_and_can_not_steer(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    link = shared_link(page, dashboard, "/evolution")
    become(page, link)
    page.goto(link)
    expect(page.get_by_role("banner")).to_contain_text("read-only")
    expect(page.locator(".ag-row")).to_contain_text("Rome")
    expect(page.get_by_role("button", name="Share")).to_have_count(0)
    page.get_by_role("link", name="Training").click()
    expect(page.locator("#step")).to_have_text("Step 0")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()


def test_the_link_is_copied(page: Page, dashboard: Dashboard) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link = shared_link(page, dashboard, "/versions")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == link


def test_a_command_that_a_guest_sends_all_the_same_is_refused(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer
) -> None:
    """A page that was made for its owner, in a browser that has become a guest's."""
    link = shared_link(page, dashboard, "/")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Snapshot")).to_be_visible()
    become(page, link)
    # It may be hidden by now: whoever wants to can press it all the same.
    page.get_by_role("button", name="Snapshot", include_hidden=True).first.evaluate("button => button.click()")
    expect(page.locator("#outcome")).to_contain_text("Snapshot failed")
    assert not book.status().active.snapshot_pending
