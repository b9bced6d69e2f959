"""The page Versions in a real browser: choosing, comparing, and what is asked for behind the dialog of guarded operations."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.processes import Dashboard
from made_versions import ScriptedTrainer
from operations import carried_out
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.safety_pb2 import OPERATION_STAGE_UNDONE

BACKUP_MS = 30_000  # a backup is made and read back first


@dataclass(frozen=True)
class Made:
    """v001, with v002 and v003 on it; v003 is the latest."""

    first: str
    second: str
    third: str


@pytest.fixture
def trainer(server: ServerProcess, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    scripted = ScriptedTrainer(server, tmp_path)
    yield scripted
    scripted.close()


@pytest.fixture
def made(book: Guessbook, trainer: ScriptedTrainer) -> Made:
    first = trainer.version(book, "sums")
    return Made(first, *(trainer.version(book, name, parent=first) for name in ("capitals", "polite")))


def row(page: Page, version: str) -> Locator:
    return page.locator("#version-list").get_by_role("link", name=re.compile(f"^{version[:4]}"))


def ask(page: Page, label: str) -> Locator:
    """Opens the dialog of a guarded operation of the version that is shown."""
    page.locator("#version").get_by_role("button", name=label).click()
    return page.get_by_role("dialog")


def test_the_list_and_the_tree_lead_to_a_version(page: Page, dashboard: Dashboard, made: Made) -> None:
    page.goto(dashboard.page("/versions"))
    title = page.locator("#version h2")
    expect(title).to_have_text(made.third)
    row(page, made.second).click()
    expect(title).to_have_text(made.second)
    expect(page).to_have_url(re.compile(f"version={made.second}"))
    expect(row(page, made.second)).to_have_attribute("aria-current", "true")
    expect(page.locator("#version")).to_contain_text("0% → 100%")
    expect(page.locator("#version")).to_contain_text("adapter_model.safetensors")

    tree = page.locator(".version-tree")
    where = tree.evaluate(
        "(box, name) => box.querySelector('#version-tree')._cyreg.cy.getElementById(name).renderedPosition()",
        made.first,
    )
    tree.click(position=where)
    expect(title).to_have_text(made.first)
    page.go_back()
    expect(title).to_have_text(made.second)
    page.reload()
    expect(title).to_have_text(made.second)


def test_a_deletion_is_planned_confirmed_followed_and_taken_back(
    page: Page, dashboard: Dashboard, book: Guessbook, made: Made
) -> None:
    page.goto(dashboard.page("/versions"))
    dialog = ask(page, "Delete")
    expect(dialog).to_contain_text(f"Delete {made.third}")
    expect(dialog.locator("#guarded-plan")).to_contain_text(
        f"latest moves from {made.third} to {made.first}", ignore_case=True
    )
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert not book.operations().operations

    dialog = ask(page, "Delete")
    confirm = dialog.get_by_role("button", name="Delete")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Reason").fill("trained on the wrong file")
    expect(confirm).to_be_disabled()
    dialog.get_by_label(f"Type {made.third}").fill(made.third)
    confirm.click()
    expect(dialog.locator("#guarded-stages")).to_contain_text(
        "is in the trash and its 2 files are whole there", timeout=BACKUP_MS
    )
    dialog.locator("#guarded-close").click()
    asked = book.operations().operations[0]
    assert (asked.kind, asked.target, asked.reason) == ("delete-version", made.third, "trained on the wrong file")

    row(page, made.third).click()
    expect(page.locator("#version")).to_contain_text("In the trash since")
    expect(row(page, made.first)).to_contain_text("latest")
    page.locator("#version").get_by_role("button", name="Restore").click()
    question = page.get_by_role("dialog", name=f"Restore {made.third}?")
    expect(question).to_contain_text("the latest version stays the one it is")
    question.get_by_role("button", name="Go back").click()
    expect(question).to_be_hidden()
    expect(page.locator("#version")).to_contain_text("In the trash since")
    page.locator("#version").get_by_role("button", name="Restore").click()
    question.get_by_role("button", name="Restore").click()
    expect(page.locator("#outcome")).to_contain_text(f"{made.third} is back")
    expect(page.locator("#version").get_by_role("button", name="Delete")).to_be_visible()


def test_what_cannot_be_done_says_why(page: Page, dashboard: Dashboard, book: Guessbook, made: Made) -> None:
    page.goto(dashboard.page("/versions", f"version={made.first}"))
    dialog = ask(page, "Delete")
    expect(dialog.get_by_role("alert")).to_contain_text(f"{made.third} came from {made.first}")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_hidden()
    dialog.locator("#guarded-close").click()
    expect(dialog).to_be_hidden()

    # A page that stays open while somebody else does it.
    dialog = ask(page, "Make latest")
    dialog.get_by_label("Reason").fill("the others forgot")
    carried_out(book, "rollback", made.first)
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is the latest already", ignore_case=True)


def test_a_rollback_goes_on_when_its_dialog_is_closed(
    page: Page, dashboard: Dashboard, book: Guessbook, made: Made
) -> None:
    page.goto(dashboard.page("/versions", f"version={made.second}"))
    dialog = ask(page, "Make latest")
    dialog.get_by_label("Reason").fill("v003 forgot the capitals")
    dialog.get_by_role("button", name="Roll back").click()
    dialog.locator("#guarded-close").click()
    expect(row(page, made.second)).to_contain_text("latest", timeout=BACKUP_MS)
    expect(page.locator("#outcome")).to_contain_text("latest version: done", timeout=BACKUP_MS)
    expect(page.locator("#version").get_by_role("button", name="Make latest")).to_have_count(0)
    expect(page.locator("#version .kept")).to_contain_text("pre rollback")
    expect(page.locator("#version .kept-copy.sound").first).to_contain_text("whole when read back")
    assert next(version.name for version in book.versions().versions if version.latest) == made.second


def test_a_consolidation_that_waits_for_a_trainer_can_be_given_up(
    page: Page, dashboard: Dashboard, book: Guessbook, made: Made
) -> None:
    page.goto(dashboard.page("/versions"))
    dialog = ask(page, "Consolidate")
    dialog.get_by_label("Reason").fill("to be served without PEFT")
    dialog.get_by_role("button", name="Consolidate").click()
    expect(dialog.locator("#guarded-stages")).to_contain_text("Waits for a trainer", timeout=BACKUP_MS)
    dialog.get_by_role("button", name="Give it up").click()
    expect(dialog.locator("#guarded-stages")).to_contain_text("The adapter is as it was, and so is latest.")
    assert book.operations().operations[0].stage == OPERATION_STAGE_UNDONE


def test_an_operation_is_told_of_at_its_end_although_another_was_asked_for_meanwhile(
    page: Page, dashboard: Dashboard, book: Guessbook, made: Made
) -> None:
    page.goto(dashboard.page("/versions"))
    dialog = ask(page, "Consolidate")
    dialog.get_by_label("Reason").fill("to be served without PEFT")
    dialog.get_by_role("button", name="Consolidate").click()
    expect(dialog.locator("#guarded-stages")).to_contain_text("Waits for a trainer", timeout=BACKUP_MS)
    dialog.locator("#guarded-close").click()
    ask(page, "Delete").locator("#guarded-close").click()
    book.abort_operation(book.operations().operations[0].id, reason="the trainer is away")
    expect(page.locator("#outcome")).to_contain_text(f"Consolidate {made.third}: undone")


def test_a_guest_sees_everything_and_is_refused_whatever_the_page_asks(
    page: Page, dashboard: Dashboard, server: ServerProcess, book: Guessbook, made: Made
) -> None:
    guest = (server.home.root / "dashboard.guest.token").read_text()
    page.goto(f"{dashboard.link.partition('/?')[0]}/versions?token={guest}")
    expect(page.locator("#version h2")).to_have_text(made.third)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    page.evaluate("name => window.guessbook.guard('delete-version', name)", made.third)
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("may not")
    assert not book.operations().operations


def test_two_stages_are_compared_example_by_example(page: Page, dashboard: Dashboard, made: Made) -> None:
    page.goto(dashboard.page("/versions", f"version={made.second}"))
    expect(page.locator("#compare-title")).to_have_text("v001 → v002")
    expect(page.locator(".change-count.still_right")).to_contain_text("4")
    page.locator("#compare-with").click()
    page.get_by_role("option", name="with its own start").click()
    expect(page).to_have_url(re.compile("with=start"))
    expect(page.locator("#compare-title")).to_have_text("v002 since its start")
    expect(page.locator(".change-count.fixed")).to_contain_text("4")
    expect(page.locator(".mean-loss")).to_have_text("Mean loss 4.00 → 1.00")
    expect(page.locator(".compared-row").first.locator("del")).to_have_text("0")
    expect(page.locator(".compared-row").first.locator("ins")).to_have_text("1")

    page.get_by_label("Search the compared examples").fill("3+3")
    expect(page.locator(".compared-row")).to_have_count(1)
    expect(page.locator(".compare-pages")).to_contain_text("1–1 of 1, 4 compared")
    page.get_by_label("Search the compared examples").fill("")
    expect(page.locator(".compared-row")).to_have_count(4)
    page.locator(".change-count.broken").click()
    expect(page.locator(".compare-pages")).to_contain_text("No example matches")
    page.go_back()
    expect(page.locator(".compared-row")).to_have_count(4)
    page.locator(".compared-row").first.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/example"))


def test_a_version_is_downloaded_whole(
    page: Page, dashboard: Dashboard, book: Guessbook, made: Made, tmp_path: Path
) -> None:
    page.goto(dashboard.page("/versions", f"version={made.second}"))
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    started.value.save_as(tmp_path / "version.zip")
    with zipfile.ZipFile(tmp_path / "version.zip") as archive:
        assert archive.testzip() is None
        content = {name: archive.read(name) for name in archive.namelist()}
    metadata = next(version.metadata for version in book.versions().versions if version.name == made.second)
    assert content == {
        f"{made.second}/adapter_model.safetensors": b"weights of capitals",
        f"{made.second}/adapter_config.json": b"{}",
        f"{made.second}/metadata.json": metadata.encode(),
    }
    origin = dashboard.link.partition("/?")[0]
    assert page.request.get(f"{origin}/versions/download?version=v009").status == 404


def test_notes_are_written_and_the_past_has_none(page: Page, dashboard: Dashboard, book: Guessbook, made: Made) -> None:
    before = book.status().position
    page.goto(dashboard.page("/versions"))
    page.get_by_role("button", name="Edit the notes").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Notes").fill("<b>better</b> on capitals")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#version-notes")).to_have_text("<b>better</b> on capitals")
    assert book.versions().versions[0].notes == "<b>better</b> on capitals"
    page.get_by_role("button", name="Edit the notes").click()
    expect(dialog.get_by_label("Notes")).to_have_value("<b>better</b> on capitals")

    page.goto(dashboard.page("/versions", f"at={before}"))
    expect(page.locator("#version h2")).to_have_text(made.third)
    expect(page.locator("#version-notes")).to_be_empty()
    for name in ("Delete", "Make latest", "Consolidate", "Edit the notes"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_an_empty_book_says_where_versions_come_from(
    page: Page, dashboard: Dashboard, book: Guessbook, trainer: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/versions"))
    expect(page.get_by_role("heading", name="No version yet")).to_be_visible()
    first = trainer.version(book, "sums")
    expect(page.locator("#version h2")).to_have_text(first)
    expect(page.locator("#compare-title")).to_have_text("v001 since its start")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_part_is_wider_than_the_window(page: Page, dashboard: Dashboard, made: Made, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(dashboard.page("/versions"))
    expect(page.locator(".compared-row")).to_have_count(4)
    for width in (1440, 800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
