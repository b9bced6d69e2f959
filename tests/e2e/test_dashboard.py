"""The dashboard in a real browser, over a real server and a real log."""

import json
import re
from pathlib import Path

import pytest
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Locator, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook

FACTS = [
    ("What is the capital of Peru?", "Lima"),
    ("What is the capital of Norway?", "Oslo is the capital"),
    ("What is 3 times 7?", "21"),
    ("<img src=x onerror=alert(1)><script>alert(2)</script>", "<b>bold</b>"),
]
MANY = len(FACTS)
EXPECTED = [expected for _, expected in FACTS]


@pytest.fixture
def training(book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    """A run with its snapshot at step 0: everything is wrong."""
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in FACTS))
    response = book.submit(path)
    assert not response.rejected, response.report
    trainer.take(total_steps=20, examples=MANY)
    trainer.snapshot(0, ["Rome is a town", "Rome is a town", "12", "<i>no</i>"], [False] * MANY, [4.0, 3.0, 2.0, 5.0])
    return trainer


def row(page: Page, prompt: str) -> Locator:
    return page.locator(".ag-row", has_text=prompt)


def learn(training: ScriptedTrainer) -> None:
    training.steps(1, 10, [1.0, 0.5, 0.2, 3.0])
    training.snapshot(
        10, ["Lima", "Oslo is a town", "21", "<b>bold</b>"], [True, False, True, True], [0.1, 1.0, 0.2, 0.3]
    )


def test_a_guess_made_after_the_page_was_opened_shows_without_reload(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(page.locator("#line-word")).to_have_text("Live")
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    page.evaluate("window.opened = true")

    learn(training)

    expect(row(page, "Peru").locator('[col-id="guess"]')).to_have_text("Lima")
    expect(row(page, "Peru")).to_contain_text("Learned")
    expect(page.locator("button.state.learned")).to_contain_text("75%")
    page.get_by_role("link", name="Training").click()
    expect(page.locator("#step")).to_have_text("Step 10")
    expect(page.locator("#percent")).to_contain_text("of 20 · 50%")
    expect(page.locator("#accuracy")).to_have_text("75% at step 10")
    assert page.evaluate("window.opened") is True


def test_an_example_tells_its_story(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    learn(training)
    page.goto(dashboard.page("/evolution"))
    row(page, "Norway").locator('[col-id="prompt"]').click()

    guesses = page.locator(".guess")
    expect(guesses).to_have_count(2)
    expect(guesses.first).to_contain_text("Step 10")
    expect(guesses.first).to_contain_text("wrong")
    expect(guesses.first.locator("del")).to_have_text("Rome")
    expect(guesses.first.locator("ins")).to_have_text("Oslo")
    expect(page).to_have_url(re.compile(r"example=1"))

    page.keyboard.press("k")
    expect(page.locator("#story")).to_contain_text("Learned at step 10")
    expect(page.locator("#story")).to_contain_text("capital of Peru")
    expect(page.locator("#previous")).to_be_disabled()
    page.go_back()
    expect(page.locator("#story")).to_contain_text("capital of Norway")
    page.reload()
    expect(page.locator("#story")).to_contain_text("capital of Norway")
    expect(page.locator("#next")).to_be_enabled()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#story-title")).to_contain_text("Example 3")


def test_an_open_story_grows_with_the_next_snapshot(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution", "example=0"))
    expect(page.locator(".guess")).to_have_count(1)
    learn(training)
    expect(page.locator(".guess")).to_have_count(2)
    expect(page.locator(".guess").first).to_contain_text("Lima")


def test_text_is_never_markup(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    learn(training)
    page.goto(dashboard.page("/evolution", "example=3"))
    expect(page.locator("#story")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator(".guess").first).to_contain_text("<b>bold</b>")
    expect(row(page, "onerror")).to_have_count(1)
    assert page.locator("#story img, #story b, .ag-row img").count() == 0


def test_a_state_and_a_search_filter_the_list(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    learn(training)
    page.goto(dashboard.page("/evolution"))
    page.locator("button.state.improving").click()
    expect(page.locator("#matching")).to_have_text("1 of 4 examples")
    expect(page.locator(".ag-row")).to_contain_text("Norway")
    page.locator("button.state.improving").click()
    page.locator("#search").fill("LIMA")
    expect(page.locator("#matching")).to_have_text("1 of 4 examples")
    page.locator("#search").fill("nothing has this")
    expect(page.locator("#matching")).to_have_text("0 of 4 examples")
    page.locator("#search").fill("")
    expect(page.locator(".ag-row")).to_have_count(MANY)


def test_the_page_survives_the_server(
    page: Page, dashboard: Dashboard, server: ServerProcess, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.page("/evolution"))
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    server.kill()
    expect(page.locator("#line-word")).to_have_text("Reconnecting")
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    server.start()
    expect(page.locator("#line-word")).to_have_text("Live")
    learn(training)
    expect(row(page, "Peru").locator('[col-id="guess"]')).to_have_text("Lima")


def test_pause_asks_first_and_says_what_happened(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer
) -> None:
    page.goto(dashboard.link)
    page.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Pause facts.jsonl?")
    dialog.get_by_role("button", name="Go back").click()
    expect(dialog).to_be_hidden()
    assert book.status().active.pending == ""

    page.get_by_role("button", name="Pause").click()
    dialog.get_by_role("button", name="Pause").click()
    expect(page.locator("#outcome")).to_contain_text("will pause")
    expect(page.locator("#job-state")).to_have_text("active, pause asked for")
    assert book.status().active.pending == "pause"


def test_the_past_shows_what_was_known_then(
    page: Page, dashboard: Dashboard, book: Guessbook, training: ScriptedTrainer
) -> None:
    before = book.status().position
    learn(training)
    page.goto(dashboard.page("/evolution"))
    expect(row(page, "Peru")).to_contain_text("Learned")
    page.goto(dashboard.page("/evolution", f"at={before}"))
    expect(page.locator("#past")).to_contain_text("As of")
    expect(page.locator("#line-word")).to_have_text("Past")
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    page.get_by_role("link", name="Training").click()
    expect(page.locator("#step")).to_have_text("Step 0")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("link", name="Evolution").click()
    page.locator("#to-live").click()
    expect(row(page, "Peru")).to_contain_text("Learned")


def test_an_empty_book_says_how_to_begin(
    page: Page, dashboard: Dashboard, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path
) -> None:
    page.goto(dashboard.link)
    expect(page.locator("#page")).to_contain_text("guessbook submit")
    path = tmp_path / "first.jsonl"
    path.write_text(json.dumps({"prompt": "a", "completion": "b"}) + "\n")
    book.submit(path)
    expect(page.locator("#job-name")).to_have_text("first.jsonl")
    trainer.take(total_steps=2, examples=1)
    trainer.snapshot(0, ["c"], [False], [1.0])
    page.get_by_role("link", name="Evolution").click()
    expect(row(page, "a")).to_contain_text("c")


def test_a_stranger_is_kept_out(page: Page, dashboard: Dashboard) -> None:
    stranger = page.request.get(dashboard.link.partition("?")[0])
    assert stranger.status == 401
    assert "guessbook dashboard" in stranger.text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_part_is_wider_than_the_window(
    page: Page, dashboard: Dashboard, training: ScriptedTrainer, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(dashboard.page("/evolution", "example=0"))
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    expect(page.locator(".guess")).to_have_count(1)
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == scheme
    for width in (1440, 800):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("#story-panel")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_not_there_is_said(page: Page, dashboard: Dashboard, training: ScriptedTrainer) -> None:
    page.goto(dashboard.page("/evolution", "example=99"))
    expect(page.locator("#story")).to_contain_text("99")
    expect(row(page, "Peru")).to_contain_text("Rome is a town")
    page.goto(dashboard.page("/evolution", "run=run-9999"))
    expect(page.locator("#problem")).to_contain_text("run-9999")
