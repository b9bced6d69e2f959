"""One example in the panel and on its own page, the data map, the insights and the export, in a real browser over a real server."""

import csv
import json
import re
from pathlib import Path

import pytest
from e2e.browser import settle
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Locator, Page, expect
from pyarrow import parquet

from guessbook.clients.client import Guessbook

HOSTILE = "\u202ereversed <script>alert(1)</script> \x07\x00 שלום عالم 👩‍👩‍👧"
LONG = "word " * 5000
FACTS = [
    ("What is the capital of Peru?", "Lima"),
    ("What is the capital of Norway?", "Oslo is the capital"),
    ("What is 3 times 7?", "=7*3"),
    (HOSTILE, "<b>bold</b>"),
    ("What is the capital of Peru?", "Cuzco"),
]
MANY = len(FACTS)


@pytest.fixture
def training(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    """A run with two snapshots. Two examples contradict each other, which is an insight; only the first was always probable."""
    path = tmp_path / "facts.jsonl"
    lines = [{"prompt": p, "completion": c, "category": "capitals" if "capital" in p else "other"} for p, c in FACTS]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    response = book.submit(path)
    assert not response.rejected, response.report
    trainer.take(total_steps=20, examples=MANY)
    trainer.snapshot(0, ["Rome", "Rome is a town", "12", LONG, "Rome"], [False] * MANY, [4.0] * MANY, [0.9, *[0.1] * 4])
    trainer.steps(1, 10, [1.0, 0.5, 0.2, 3.0, 2.0])
    guesses = ["Lima", "Oslo is a town", "=7*3", HOSTILE, "Lima"]
    trainer.snapshot(10, guesses, [True, False, True, False, False], [0.1, 1.0, 0.2, 0.3, 2.0], [0.9, *[0.15] * 4])
    return trainer


def matching(page: Page) -> Locator:
    return page.locator("#matching")


def test_an_example_has_a_page_of_its_own(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "state=improving&q=capital"))
    settle(page)  # the rows are there first, and move while what stands over them comes
    page.locator('.ag-row [col-id="prompt"]').first.click()
    expect(page.locator("#story-title")).to_contain_text("Example 1")
    page.get_by_role("link", name="On a page of its own").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Example 1")
    facts = page.locator(".story-facts")
    expect(facts).to_contain_text("10 times")
    expect(page.locator(".guess").first).to_contain_text("Trained 10 times before it, loss 0.50")
    expect(page.locator(".guess").first).to_contain_text("expected answer 15%")
    expect(page.locator(".guess").first.locator("del")).to_have_text("Rome")

    # The list is still the one that it was opened from: under its filter, example 4 follows on example 1.
    page.keyboard.press("j")
    expect(page.locator("#story-title")).to_contain_text("Example 4")
    expect(page.locator("#next")).to_be_disabled()
    page.reload()
    expect(page.locator("#story-title")).to_contain_text("Example 4")
    page.get_by_role("link", name="To the list").click()
    expect(matching(page)).to_have_text(f"2 of {MANY} examples")
    expect(page.locator("#story-title")).to_contain_text("Example 4")


def test_a_link_to_an_example_names_its_run(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(dashboard.page("/example", "example=2"))
    expect(page.locator("#story")).to_contain_text("3 times 7")
    page.get_by_role("button", name="Copy a link").click()
    expect(page.locator("#outcome")).to_contain_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith(f"/example?example=2&run={training.run}")
    page.goto(link)
    expect(page.locator("#story")).to_contain_text("3 times 7")


def test_a_link_is_shown_where_the_browser_lets_nothing_be_copied(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer
) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(dashboard.page("/example", "example=2"))
    expect(page.locator("#story")).to_contain_text("3 times 7")
    page.get_by_role("button", name="Copy a link").click()
    expect(page.locator("#outcome")).to_contain_text(f"/example?example=2&run={training.run}")


@pytest.mark.parametrize("width", [1440, 390])
def test_hostile_text_stays_text_and_in_its_place(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(dashboard.page("/example", "example=3"))
    expect(page.locator(".guess").first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("#story .text").first).to_contain_text("\\u202ereversed")
    expect(page.locator("#story .text").first).to_contain_text("\\x07\\x00 שלום")
    assert page.locator("#story script, #story b:not(.tooltip b)").count() == 0

    long = page.locator(".guess").last
    expect(long.locator("details .foreign")).to_be_hidden()
    long.get_by_text("Show the other").click()
    expect(long.locator("details .foreign")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_example_that_is_not_there_is_said(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/example", "example=99"))
    expect(page.locator("#story")).to_contain_text("99")
    page.goto(dashboard.page("/example"))
    expect(page.locator("#story")).to_contain_text("No example is chosen")
    page.get_by_role("link", name="Choose one").click()
    expect(matching(page)).to_have_text(f"{MANY} examples")


def test_a_rectangle_on_the_data_map_is_a_filter(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution"))
    page.get_by_role("tab", name="Data map").click()
    expect(page.locator(".map-cells circle")).to_have_count(2)
    expect(page.locator("#data-map-said")).to_contain_text(f"{MANY} examples")

    easy = page.get_by_role("button", name="Easy")
    expect(easy).to_contain_text("1")
    easy.click()
    expect(matching(page)).to_have_text(f"1 of {MANY} examples")
    expect(easy).to_have_attribute("aria-pressed", "true")

    page.get_by_label("Confidence from").fill("0")
    page.get_by_label("Confidence to").fill("0.5")
    expect(matching(page)).to_have_text(f"4 of {MANY} examples")
    page.go_back()
    page.locator("#box-clear").click()
    expect(matching(page)).to_have_text(f"{MANY} examples")

    corner = page.locator("#data-map").bounding_box()
    assert corner
    page.mouse.move(corner["x"] + 90, corner["y"] + 130)
    page.mouse.down()
    page.mouse.move(corner["x"] + 300, corner["y"] + 215, steps=4)
    page.mouse.up()
    expect(matching(page)).to_have_text("0 of 5 examples")
    page.mouse.move(corner["x"] + 42, corner["y"] + 130)
    page.mouse.down()
    page.mouse.move(corner["x"] + 300, corner["y"] + 215, steps=4)
    page.mouse.up()
    expect(matching(page)).to_have_text(f"4 of {MANY} examples")
    expect(page).to_have_url(re.compile("box="))
    page.reload()
    expect(matching(page)).to_have_text(f"4 of {MANY} examples")


def test_an_insight_lists_exactly_its_examples(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "tab=insights"))
    card = page.locator(".insight.contradiction")
    expect(card).to_contain_text("What to do:")
    card.get_by_role("button", name="List these 2").click()
    expect(matching(page)).to_have_text(f"2 of {MANY} examples")
    expect(page.locator('.ag-row [col-id="expected"]', has_text="Cuzco")).to_have_count(1)

    card.get_by_text("in particular").click()
    card.get_by_role("button", name="Example 4").click()
    expect(page.locator("#story-title")).to_contain_text("Example 4")
    card.get_by_role("button", name="List these 2").click()
    expect(matching(page)).to_have_text(f"{MANY} examples")


def test_an_export_holds_exactly_what_is_listed(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer, tmp_path: Path
) -> None:
    def exported(name: str) -> Path:
        page.locator("#export-menu summary").click()
        expect(page.get_by_text(f"Export 2 of {MANY} examples")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert f"_2-of-{MANY}-examples_" in path.name
        return path

    page.goto(dashboard.page("/evolution", "state=learned"))
    expect(matching(page)).to_have_text(f"2 of {MANY} examples")
    with exported("CSV").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["example_index"]) for row in rows] == [("0", "0"), ("0", "2"), ("10", "0"), ("10", "2")]
    assert rows[-1]["guess"] == "'=7*3"  # no spreadsheet runs it

    lines = [json.loads(line) for line in exported("JSON Lines").read_text().splitlines()]
    assert [line["guess"] for line in lines] == ["Rome", "12", "Lima", "=7*3"]
    snapshots = json.loads(exported("JSON an").read_text())
    assert [len(snapshot["examples"]) for snapshot in snapshots] == [2, 2]
    assert parquet.read_table(exported("Parquet")).column("example_index").to_pylist() == [0, 2, 0, 2]
    report = exported("Report").read_text()
    assert "only these are told of below: learned" in report
    assert "Norway" not in report


def test_the_data_map_and_an_export_of_the_past_are_of_then(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer
) -> None:
    began = book.run().snapshots[0].position - 2
    page.goto(dashboard.page("/evolution", f"at={began}"))
    page.get_by_role("tab", name="Data map").click()
    expect(page.locator("#data-map-said")).to_have_text("No snapshot has looked at any of these examples yet.")
    page.locator("#export-menu summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.endswith(f"_at-{began}.csv")


def test_an_export_that_can_not_be_made_says_why(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(matching(page)).to_have_text(f"{MANY} examples")
    address = dashboard.link.partition("/?")[0]
    unknown = page.request.get(f"{address}/export?format=csv&run=run-9999")
    assert unknown.status == 409
    assert "Nothing was exported." in unknown.text()
    assert "run-9999" in unknown.text()
    assert page.request.get(f"{address}/export?format=exe").status == 400
