"""The page Backups in a real browser: what is made, read back, drilled and restored from it, on a real data folder."""

import json
import re
from pathlib import Path

import pytest
import yaml
from e2e.processes import Dashboard
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.store.verify import verify

LONG_MS = 60_000  # a backup, its reading back, a drill: processes of their own


@pytest.fixture
def dataset(book: Guessbook, tmp_path: Path) -> None:
    """Something to lose."""
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps({"prompt": "What is the capital of Peru?", "completion": "Lima"}) + "\n")
    book.submit(path)


def config(server: ServerProcess, **backup: object) -> None:
    server.home.config.write_text(yaml.safe_dump({"backup": backup}))


def rows(page: Page) -> Locator:
    return page.locator("table.backups tbody tr")


def work(page: Page) -> Locator:
    return page.locator("#backup-work")


@pytest.mark.usefixtures("dataset")
def test_a_backup_is_made_while_other_pages_are_looked_at(
    page: Page, dashboard: Dashboard, server: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    config(server, timezone="Asia/Tokyo", places=[{"name": "usb", "url": str(tmp_path / "usb"), "offsite": True}])
    page.goto(dashboard.page("/backups"))
    expect(page.locator("#backup-list")).to_contain_text("No backup yet")
    expect(page.locator("#backup-schedule")).to_contain_text("every day at 03:00 Asia/Tokyo; next")
    expect(page.locator("#backup-places")).to_contain_text("guessbook backup create --place usb")

    page.get_by_role("button", name="Create backup").click()
    expect(work(page)).to_contain_text("Making a backup at every place")
    page.get_by_role("link", name="Training").click()
    page.get_by_role("link", name="Backups").click()
    expect(work(page)).to_contain_text("Made, and read back whole at local, usb", timeout=LONG_MS)

    expect(rows(page)).to_have_count(2)
    expect(page.locator("#backup-list h2")).to_have_text("Backups 2 of 2")
    expect(rows(page).filter(has_text="usb")).to_contain_text("whole")
    expect(page.locator("#backup-coverage")).to_contain_text("3-2-1 is met")
    expect(page.locator("#backup-month")).to_contain_text("Days in Asia/Tokyo, the time zone of config.yaml")
    work(page).get_by_role("button", name="Close").click()
    expect(work(page)).to_be_empty()


@pytest.mark.usefixtures("dataset")
def test_a_damaged_copy_is_found_and_a_drill_tells_of_a_whole_one(
    page: Page, dashboard: Dashboard, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    config(server, places=[{"name": "usb", "url": str(tmp_path / "usb")}])
    made = book.create_backup()
    page.goto(dashboard.page("/backups"))
    page.get_by_role("button", name=f"Drill {made.id} at local").click()
    expect(work(page)).to_contain_text("Restored for the time being", timeout=LONG_MS)
    expect(page.locator("#backup-history")).to_contain_text("Drill passed at local")

    for path in (tmp_path / "usb" / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(b"not this")
    page.get_by_role("button", name=f"Verify {made.id} at usb").click()
    expect(work(page)).to_contain_text("failed", timeout=LONG_MS)
    expect(work(page)).to_contain_text("Earlier backups are as they were")
    expect(rows(page).filter(has_text="usb")).to_contain_text("not whole")
    expect(page.locator("#backup-coverage")).to_contain_text("3-2-1 is not met")


@pytest.mark.usefixtures("dataset")
def test_a_backup_is_restored_into_a_new_folder_and_nowhere_else(
    page: Page, dashboard: Dashboard, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    made = book.create_backup()
    there = tmp_path / "restored"
    page.goto(dashboard.page("/backups"))
    page.get_by_role("button", name=f"Restore… {made.id} at local").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Restore {made.id} at local")
    for wrong, told in (("", "no folder"), ("restored", "whole path"), (str(server.home.root), "not empty")):
        dialog.get_by_label("New data folder").fill(wrong)
        dialog.get_by_role("button", name="Restore", exact=True).click()
        expect(dialog.get_by_role("alert")).to_contain_text(told, ignore_case=True)

    dialog.get_by_label("New data folder").fill(str(there))
    dialog.get_by_role("button", name="Restore", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(work(page)).to_contain_text(f"guessbook up --home {there}", timeout=LONG_MS)
    verdict = verify(there / "log")
    assert verdict.ok
    assert verdict.head > made.backups[0].head  # and its own first event, which says where it comes from


@pytest.mark.usefixtures("dataset")
def test_a_day_is_chosen_by_its_link_and_the_back_button_returns(
    page: Page, dashboard: Dashboard, book: Guessbook
) -> None:
    book.create_backup()
    page.goto(dashboard.page("/backups"))
    page.locator(".day.today a").click()
    expect(page).to_have_url(re.compile(r"day=\d{4}-\d\d-\d\d"))
    expect(page.locator(".day.chosen")).to_have_count(1)
    page.get_by_role("link", name="The month before").click()
    expect(page.locator(".day.today")).to_have_count(0)
    expect(rows(page)).to_have_count(1)
    page.go_back()
    expect(page.locator(".day.chosen")).to_have_count(1)
    page.reload()
    expect(page.locator(".day.chosen")).to_have_count(1)
    page.goto(dashboard.page("/backups", "day=2001-01-01"))
    expect(page.locator("#backup-list")).to_contain_text("No backup is like that")
    page.get_by_role("link", name="1 January 2001: show the others too").click()
    expect(rows(page)).to_have_count(1)


@pytest.mark.usefixtures("dataset")
def test_the_past_has_no_backup_and_no_buttons(page: Page, dashboard: Dashboard, book: Guessbook) -> None:
    before = book.status().position
    book.create_backup()
    page.goto(dashboard.page("/backups", f"at={before}"))
    expect(page.locator("#backup-list")).to_contain_text("No backup yet")
    for name in ("Create backup", "Prune…", "Settings…"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    page.get_by_role("button", name="Return to live").click()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Create backup")).to_be_visible()


@pytest.mark.usefixtures("dataset")
def test_a_guest_sees_the_backups_and_can_make_and_restore_none(
    page: Page, dashboard: Dashboard, server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    made = book.create_backup()
    token = (server.home.root / "dashboard.guest.token").read_text().strip()
    address = dashboard.link.partition("/?")[0]
    page.goto(f"{address}/backups?token={token}")
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#backup-schedule")).to_contain_text("Only the owner")
    expect(page.get_by_role("button", name="Create backup")).to_be_hidden()
    # Whoever wants to can press what is hidden all the same.
    page.locator("#backup-create").evaluate("button => button.click()")
    expect(work(page)).to_have_text("A read-only link changes nothing. Ask whoever runs this dashboard.")
    page.locator("[data-task=restore]").evaluate("button => button.click()")
    dialog = page.get_by_role("dialog")
    for place in (server.home.root, tmp_path / "stolen"):  # nor is a guest told which folders are there
        dialog.get_by_label("New data folder").fill(str(place))
        dialog.get_by_role("button", name="Restore", exact=True).click()
        expect(dialog.get_by_role("alert")).to_contain_text("viewer")
    assert not (tmp_path / "stolen").exists()
    assert [backup.id for backup in book.backups().backups] == [made.id]


@pytest.mark.usefixtures("dataset")
def test_a_place_is_added_in_the_settings(page: Page, dashboard: Dashboard, tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    page.goto(dashboard.page("/backups"))
    page.get_by_role("button", name="Settings…").click()
    text = yaml.safe_dump({"backup": {"places": [{"name": "second-disk", "url": str(tmp_path / "usb")}]}})
    page.get_by_label("config.yaml as YAML").fill(text)
    page.get_by_role("button", name="Change…").click()
    dialog = page.get_by_role("dialog", name="Change config.yaml")
    expect(dialog).to_contain_text("second-disk")
    dialog.get_by_label("Reason").fill("a disk was bought")
    dialog.get_by_role("button", name="Change", exact=True).click()
    expect(page.locator("#backup-places")).to_contain_text(str(tmp_path / "usb"), timeout=LONG_MS)


@pytest.mark.usefixtures("dataset")
def test_settings_with_secrets_are_shown_without_them_and_not_changed_here(
    page: Page, dashboard: Dashboard, server: ServerProcess
) -> None:
    place = {"name": "cloud", "url": "s3://bucket/book", "options": {"secret": "hush"}}
    config(server, places=[place])
    page.goto(dashboard.page("/backups"))
    page.get_by_role("button", name="Settings…").click()
    expect(page.get_by_label("config.yaml as YAML")).to_have_value(re.compile("secret: …"))
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("It holds secrets")
    expect(page.get_by_role("button", name="Change…")).to_be_disabled()
    assert "hush" not in page.content()


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("width", [800, 390])
def test_nothing_is_wider_than_a_narrow_window(page: Page, dashboard: Dashboard, book: Guessbook, width: int) -> None:
    book.create_backup()
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(dashboard.page("/backups"))
    expect(rows(page)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(rows(page).locator("[data-column=Place]")).to_be_visible()
