"""The page Audit and log in a real browser, over a real server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.processes import Dashboard
from made_versions import ScriptedTrainer
from operations import carried_out
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook

CHECKER = Path(__file__).parents[2] / "docs" / "verify_proof.py"


@pytest.fixture
def versions(server: ServerProcess, book: Guessbook, tmp_path: Path) -> Iterator[list[str]]:
    """Two, the second made from the first."""
    trainer = ScriptedTrainer(server, tmp_path)
    first = trainer.version(book, "first")
    yield [first, trainer.version(book, "second", parent=first)]
    trainer.close()


def operation(page: Page, kind: str) -> Locator:
    return page.locator(".rows.operations tbody tr", has_text=kind)


def event(page: Page, kind: str) -> Locator:
    return page.locator(".rows.events tbody tr", has_text=kind)


def test_a_destructive_operation_is_told_in_full(
    page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]
) -> None:
    page.goto(dashboard.page("/audit"))
    expect(page.locator("#operations")).to_contain_text("Nothing destructive was asked for yet")
    done = carried_out(book, "delete-version", versions[1], reason="<b>it forgot</b> the capitals")
    row = operation(page, "delete-version")
    expect(row).to_contain_text("completed")
    expect(row).to_contain_text("<b>it forgot</b> the capitals")
    expect(page.locator("#operations-count")).to_have_text("1 of 1")

    row.get_by_role("link").click()
    told = page.locator("#audit-details")
    expect(told).to_contain_text(f"delete-version {versions[1]}")
    expect(told).to_contain_text("by admin")
    expect(told.locator(".difference tr", has_text="latest").locator("del")).to_have_text(versions[1])
    expect(told.locator(".difference tr", has_text="latest").locator("ins")).to_have_text(versions[0])
    expect(told.locator(".its-backups")).to_contain_text("local: whole")
    told.get_by_role("link", name="See how it was just before").click()
    expect(page).to_have_url(re.compile(rf"at={done.position - 1}"))
    expect(page.locator("#operations")).to_contain_text("Nothing destructive was asked for yet")
    expect(told).to_contain_text("There is no such operation at this point in time")


def test_operations_are_filtered_by_the_address(
    page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]
) -> None:
    carried_out(book, "rollback", versions[0])
    carried_out(book, "delete-version", versions[1])
    page.goto(dashboard.page("/audit"))
    expect(page.locator("#operations-count")).to_have_text("2 of 2")
    page.locator("#operations-kind").click()
    page.get_by_role("option", name="rollback").click()
    expect(page.locator("#operations-count")).to_have_text("1 of 2")
    expect(page).to_have_url(re.compile("kind=rollback"))
    page.reload()
    expect(page.locator("#operations-count")).to_have_text("1 of 2")
    page.go_back()
    expect(page.locator("#operations-count")).to_have_text("2 of 2")


def test_events_are_narrowed_opened_and_paged(
    page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]
) -> None:
    page.goto(dashboard.page("/audit"))
    expect(event(page, "VersionCreated")).to_have_count(2)
    page.locator("#events-type").click()
    page.get_by_role("option", name="VersionCreated").click()
    expect(page).to_have_url(re.compile("type=VersionCreated"))
    expect(page.locator(".rows.events tbody tr")).to_have_count(2)
    page.keyboard.press("Escape")
    event(page, "VersionCreated").first.get_by_role("link").first.click()
    told = page.locator("#audit-details")
    expect(told).to_contain_text("VersionCreated")
    expect(told).to_contain_text("adapter_model.safetensors")
    expect(event(page, "VersionCreated").first).to_have_class("here")
    told.get_by_role("link", name="Close the details").click()
    expect(told).to_be_hidden()

    page.goto(dashboard.page("/audit", "before=4"))
    expect(page.locator(".rows.events tbody tr")).to_have_count(3)
    expect(page.locator("#events-count")).to_contain_text(f"1 to 3 of {book.head().position}")
    expect(page.locator("#events-older")).to_have_text("The log's beginning")
    page.locator("#events-newest").click()
    expect(event(page, "VersionCreated")).to_have_count(2)
    event(page, "VersionCreated").first.locator(".about a").click()
    expect(page.locator("#events-subject")).to_have_value(re.compile("run/"))
    expect(event(page, "JobQueued")).to_have_count(0)
    page.locator("#events-subject").fill("job/")
    expect(event(page, "JobQueued")).to_have_count(2)
    expect(event(page, "RunStarted")).to_have_count(0)
    page.locator("#events-actor").fill("nobody")
    expect(page.locator("#events")).to_contain_text("No event of that kind here")


def test_new_events_come_on_top_or_are_counted(
    page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]
) -> None:
    page.set_viewport_size({"width": 1440, "height": 500})
    page.goto(dashboard.page("/audit"))
    expect(event(page, "JobCompleted").first).to_be_visible()
    before = book.head().position
    book.note_version(versions[0], "kept for the report")
    expect(page.locator(".rows.events tbody tr").first).to_contain_text("VersionNoted")

    page.mouse.wheel(0, 700)
    expect(page.locator(".rows.events tbody tr").first).not_to_be_in_viewport()
    book.note_version(versions[0], "and for the talk")
    expect(page.locator("#events-newest")).to_have_text("1 new event")
    expect(page.locator(".rows.events tbody tr").first).to_contain_text(f"{before + 1}")
    page.locator("#events-newest").click()
    expect(page.locator(".rows.events tbody tr").first).to_contain_text(f"{before + 2}")

    page.set_viewport_size({"width": 1440, "height": 260})
    page.goto(dashboard.page("/audit", "subject=job/"))
    expect(event(page, "JobCompleted").first).to_be_visible()
    expect(event(page, "VersionNoted")).to_have_count(0)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".rows.events tbody tr").first).not_to_be_in_viewport()
    book.note_version(versions[0], "which the filter hides")
    expect(page.locator("#events-newest")).to_have_text("The log went on")


def test_the_log_is_verified_and_the_verdict_stays(
    page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]
) -> None:
    page.goto(dashboard.page("/audit"))
    head = book.head()
    expect(page.locator("#log-facts")).to_contain_text(head.log_id)
    expect(page.locator("#log-facts")).to_contain_text(head.chain_hash.hex())
    page.get_by_role("button", name="Verify the log").click()
    expect(page.locator("#verify-told")).to_contain_text(f"Whole: all {head.position} events")
    expect(page.locator("#verify-told")).to_contain_text(head.chain_hash.hex())
    page.get_by_role("link", name="Backups").click()
    expect(page).to_have_url(re.compile("/backups"))
    page.get_by_role("link", name="Audit").click()
    expect(page.locator("#verify-told")).to_contain_text("Whole")
    expect(page.get_by_role("button", name="Verify the log")).to_be_enabled()


def test_a_proof_is_handed_out_that_anybody_can_check(
    page: Page, dashboard: Dashboard, tmp_path: Path, versions: list[str]
) -> None:
    page.goto(dashboard.page("/audit", "event=3"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the proof").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "proof-3.json"
    checked = subprocess.run([sys.executable, CHECKER, path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    stranger = page.context.browser
    assert stranger
    context = stranger.new_context()
    assert context.request.get(dashboard.link.partition("?")[0] + "proof?position=3").status == 401
    context.close()


def test_it_fits_every_width(page: Page, dashboard: Dashboard, book: Guessbook, versions: list[str]) -> None:
    carried_out(book, "rollback", versions[0], reason="a reason that is much longer than the room that there is " * 5)
    page.goto(dashboard.page("/audit", "event=3"))
    for width in (1440, 1024, 800, 390):
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.locator("#audit-details h2")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
