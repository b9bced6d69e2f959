"""The page Evolution in a real browser: what filters the examples, in which order they stand, and as of which snapshot."""

import json
import re
from pathlib import Path

import pytest
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Locator, Page, expect

from guessbook.clients.client import Guessbook

STEPS = (0, 10, 20)
KINDS = ("rivers", "towns", "<b>bold</b>")
EXAMPLES = 6
# Right or wrong at each snapshot, and the loss. 0 is learned soon, 1 late, 2 broken again, 3 improving, 4 and 5 never learned.
RIGHT = ([False] * 6, [True, False, True, False, False, False], [True, True, False, False, False, False])
LOSS = ([3.0, 3.0, 3.0, 3.0, 3.0, 2.0], [0.2, 2.0, 0.3, 2.0, 3.0, 2.0], [0.1, 0.3, 1.5, 1.0, 3.0, 2.0])


@pytest.fixture
def learned(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    """A run of six examples with three snapshots."""
    submit(
        book,
        tmp_path,
        [{"prompt": f"Question {i}", "completion": f"answer {i}", "category": KINDS[i % 3]} for i in range(6)],
    )
    trainer.take(total_steps=30, examples=EXAMPLES)
    for step, right, loss in zip(STEPS, RIGHT, LOSS, strict=True):
        if step:
            trainer.steps(step - 9, step, loss)
        guesses = [f"answer {i}" if right[i] else f"no idea {i} at {step}" for i in range(EXAMPLES)]
        trainer.snapshot(step, guesses, right, loss)
    return trainer


def submit(book: Guessbook, folder: Path, records: list[dict[str, str]]) -> None:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    response = book.submit(path)
    assert not response.rejected, response.report


def prompts(page: Page) -> Locator:
    return page.locator('.ag-center-cols-container .ag-row [col-id="prompt"]')


def listed(page: Page, *questions: int) -> None:
    """The list holds these, in this order."""
    rows = page.locator(".ag-center-cols-container .ag-row")
    expect(rows).to_have_count(len(questions))
    for place, question in enumerate(questions):
        expect(page.locator(f'.ag-row[row-index="{place}"] [col-id="prompt"]')).to_have_text(f"Question {question}")


def test_each_filter_narrows_the_list_and_the_back_button_takes_it_back(
    page: Page, dashboard: Dashboard, learned: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution"))
    listed(page, 0, 1, 2, 3, 4, 5)
    expect(page.locator("#matching")).to_have_text("6 examples")

    page.locator("button.state.learned").click()
    listed(page, 0, 1)
    expect(page.locator("button.state.learned")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("button.state.regressed strong")).to_have_text("17%")  # without the filter by state

    page.locator(".category", has_text="towns").click()
    listed(page, 1)
    expect(page.locator("#matching")).to_have_text("1 of 6 examples")
    expect(page.locator(".filter-chip")).to_have_text(["Learned", "Category towns"])

    page.reload()
    listed(page, 1)
    expect(page.locator("#state-filter")).to_have_value("Learned")
    page.go_back()
    listed(page, 0, 1)
    page.locator(".filter-chip", has_text="Learned").click()
    listed(page, 0, 1, 2, 3, 4, 5)

    page.locator(".change-chip.broken").click()
    listed(page, 2)
    expect(page.locator(".filter-chip")).to_have_text("Broken since step 10")
    page.locator("#search").fill("ANSWER 2")
    expect(page.locator("#filters")).to_contain_text("Clear all")
    page.get_by_role("button", name="Clear all").click()
    listed(page, 0, 1, 2, 3, 4, 5)


def test_a_snapshot_is_looked_back_at(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(page.locator(".change-chip.fixed")).to_contain_text("1")
    expect(page.locator("#step-pick")).to_have_value("Step 20 (newest)")
    expect(page.locator("#vs-pick")).to_have_value("Step 10 (before)")
    page.locator("#vs-pick").click()
    page.get_by_role("option", name="Step 0").click()
    expect(page.locator(".change-chip.fixed")).to_contain_text("2")
    expect(page.locator(".change-chip.broken")).to_contain_text("0")

    page.locator("#step-pick").click()
    page.get_by_role("option", name="Step 10").click()
    row = page.locator('.ag-row[row-index="2"]')
    expect(row.locator('[col-id="guess"]')).to_have_text("answer 2")
    expect(row.locator(".strip .state-mark")).to_have_count(2)
    expect(page.locator("#vs-pick")).to_have_value("Step 0 (before)")
    expect(page.locator("button.state.learned .change")).to_have_text("+2")

    page.goto(dashboard.page("/evolution", "step=10&state=learned"))
    listed(page, 0, 2)
    expect(page.locator("#step-pick")).to_have_value("Step 10")
    page.goto(dashboard.page("/evolution", "step=20&vs=0&change=fixed"))
    listed(page, 0, 1)
    expect(page.locator("#vs-pick")).to_have_value("Step 0")


def test_the_list_stands_in_any_order(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution"))
    listed(page, 0, 1, 2, 3, 4, 5)
    page.get_by_role("button", name="Loss").click()
    listed(page, 0, 1, 3, 2, 5, 4)
    page.get_by_role("button", name=re.compile("^Loss")).click()
    listed(page, 4, 5, 2, 3, 1, 0)
    page.locator("#sort").click()
    page.get_by_role("option", name="Learning speed").click()
    listed(page, 0, 1, 2, 3, 4, 5)
    expect(page.locator('.ag-row[row-index="1"] [col-id="learned"]')).to_have_text("step 20")
    page.locator("#turn-sort").click()
    listed(page, 1, 0, 2, 3, 4, 5)
    expect(page).to_have_url(re.compile("sort=-learned"))


def test_a_filter_is_saved_by_name(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "state=learned&sort=-loss"))
    listed(page, 1, 0)
    page.locator("#saved-menu summary").click()
    page.locator("#saved-name").fill("What it knows")
    page.locator("#saved-name").press("Enter")
    expect(page.locator(".saved-apply")).to_have_text("What it knows")

    page.goto(dashboard.page("/evolution", "q=Question"))
    listed(page, 0, 1, 2, 3, 4, 5)
    page.locator("#saved-menu summary").click()
    page.locator(".saved-apply").click()
    listed(page, 1, 0)
    expect(page.locator("#search")).to_have_value("")
    page.get_by_role("button", name="Delete What it knows").click()
    expect(page.locator(".saved-apply")).to_have_count(0)


def test_the_list_is_gone_through_by_keyboard(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "state=improving"))
    listed(page, 3)
    page.keyboard.press("j")
    expect(page.locator("#story-title")).to_contain_text("Example 3")
    page.goto(dashboard.page("/evolution"))
    listed(page, 0, 1, 2, 3, 4, 5)
    page.locator('.ag-row[row-index="0"] [col-id="state"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#story-title")).to_contain_text("Example 2")


def test_rows_are_never_stuck_nor_wrong_when_filters_change_fast(
    page: Page, dashboard: Dashboard, learned: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution"))
    listed(page, 0, 1, 2, 3, 4, 5)
    card, search = page.locator("button.state.learned"), page.locator("#search")
    for _ in range(5):
        card.click()
        search.fill("nothing has this")
        card.click()
        search.fill("Question 5")
        listed(page, 5)
        search.fill("nothing has this")
        expect(page.locator("#matching")).to_have_text("0 of 6 examples")
        search.fill("")
        listed(page, 0, 1, 2, 3, 4, 5)


def test_categories_are_text_and_many_of_them_are_counted(
    page: Page, dashboard: Dashboard, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    names = ["<img src=x onerror=alert(1)>", *(f"kind {i:04d}" for i in range(1199))]
    submit(book, tmp_path, [{"prompt": "p", "completion": "c", "category": name} for name in names])
    trainer.take(total_steps=1, examples=len(names))
    trainer.snapshot(0, ["d"] * len(names), [False] * len(names), [1.0] * len(names))
    page.goto(dashboard.page("/evolution"))
    expect(page.locator("#category-note")).to_contain_text("50 of 1,200 categories, the largest")
    expect(page.locator(".category-name").first).to_have_text("<img src=x onerror=alert(1)>")
    page.locator("#category-filter").fill("kind 1150")
    page.get_by_role("option", name="kind 1150").click()
    expect(page.locator("#matching")).to_have_text("1 of 1,200 examples")
    expect(page.locator(".filter-chip")).to_have_text("Category kind 1150")


def test_rows_are_asked_for_in_words_that_are_checked(
    page: Page, dashboard: Dashboard, learned: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution"))
    address = dashboard.link.partition("/?")[0]
    for query in (
        "",
        "from=0&to=9",
        f"run={learned.run}",
        f"run={learned.run}&from=5&to=5",
        f"run={learned.run}&from=-1&to=x",
    ):
        refused = page.request.get(f"{address}/rows?{query}")
        assert (refused.status, refused.text()[:13]) == (400, "Say which row"), query
    found = page.request.get(f"{address}/rows?run={learned.run}&from=1&to=3&sort=-index").json()
    assert [row["index"] for row in found["rows"]] == [4, 3]
    assert (found["matching"], found["told"]) == (6, "6 examples")
    lost = page.request.get(f"{address}/rows?run=run-999&from=0&to=9").json()
    assert "run-999" in lost["problem"]


def test_a_category_that_is_not_there_is_said(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "category=nowhere"))
    expect(page.locator("#matching")).to_contain_text("no category 'nowhere'")
    expect(page.locator("#problem")).to_contain_text("no category 'nowhere'")
    page.locator(".filter-chip").click()
    listed(page, 0, 1, 2, 3, 4, 5)
    expect(page.locator("#problem")).to_be_empty()


def test_a_list_is_as_long_as_its_rows_and_an_empty_one_says_so_where_it_begins(
    page: Page, dashboard: Dashboard, learned: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution", "q=nothing+has+this"))
    expect(page.locator("#matching")).to_have_text("0 of 6 examples")
    expect(page.get_by_role("grid").get_by_text("No example matches. Take a filter away")).to_be_in_viewport(ratio=1)
    expect(page.locator("#category-bars")).to_have_text("No example matches.")
    page.get_by_role("button", name="nothing has this").click()
    listed(page, 0, 1, 2, 3, 4, 5)
    last = page.locator('.ag-row[row-index="5"]').bounding_box()
    grid = page.locator("#examples").bounding_box()
    assert last
    assert grid
    assert 0 <= grid["y"] + grid["height"] - last["y"] - last["height"] <= 4


def test_an_insight_is_a_filter_in_words(page: Page, dashboard: Dashboard, learned: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "insight=forgotten@10"))
    expect(page.locator(".filter-chip")).to_have_text("Insight: forgotten at step 10")


def test_before_a_run_began_the_page_leads_back(
    page: Page, dashboard: Dashboard, learned: ScriptedTrainer, book: Guessbook
) -> None:
    run = book.run().id
    page.goto(dashboard.page("/evolution", f"run={run}&at=2"))
    expect(page.get_by_role("heading", name=f"{run} had not begun at this point")).to_be_visible()
    page.locator("#no-run").get_by_role("link", name="Return to live").click()
    listed(page, 0, 1, 2, 3, 4, 5)
    page.go_back()
    expect(page.get_by_role("heading", name=f"{run} had not begun at this point")).to_be_visible()


def test_without_a_run_the_page_says_how_to_get_one(page: Page, dashboard: Dashboard) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(page.get_by_text("No run yet")).to_be_visible()
    expect(page.locator("#book")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_every_width_shows_the_prompts(page: Page, dashboard: Dashboard, learned: ScriptedTrainer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(dashboard.page("/evolution"))
    listed(page, 0, 1, 2, 3, 4, 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert prompts(page).first.evaluate("cell => cell.clientWidth") >= 150
