"""Texts that were made to break a page, wherever a text can stand: in data, guesses, categories, names. Nothing runs, nothing breaks, nothing moves sideways."""

import json
from pathlib import Path

import pytest
from e2e.browser import settle
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from made_versions import ScriptedTrainer as VersionMaker
from playwright.sync_api import Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.visible import visible

RUNS = "window.ran=1"
HOSTILE = {
    "markup": f"<script>{RUNS}</script><img src=x onerror={RUNS}><iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "attribute": f"\" onmouseover={RUNS} x='javascript:{RUNS}' style=position:fixed;inset:0",
    "template": "{{7*7}} ${7*7} [x](javascript:ran=1) ![x](http://elsewhere.example/x.png)",
    "long": "a" * 200_000,
    "lines": "line\n" * 5_000,
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u202eevil\u202c \u2066isolate \u0645\u0631\u062d\u0628\u0627",
    "unclosed": "\u202e\u2067 never closed",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈 Z̸̢̺͓̈́͊a̴̻͝l̶̰̔g̸̱̈ȏ̵͜",
    "control": "nul\x00 bell\x07 esc\x1b[31m del\x7f tab\t cr\r feff\ufeff",
}
NAME = f"<b>{RUNS}</b>\u202e'\"&\x1b[31m" + "n" * 120 + ".jsonl"
CATEGORIES = 10_000
PATHS = ("/", "/evolution", "/versions", "/audit", "/backups")


@pytest.fixture
def hostile(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    maker = VersionMaker(server, tmp_path, "maker")
    maker.version(book, "<script>window.ran=1<")
    book.note_version(book.versions().versions[0].name, HOSTILE["markup"])
    maker.close()
    texts = [*HOSTILE.values(), *("short" for _ in range(CATEGORIES - len(HOSTILE)))]
    records = (
        {"prompt": text, "completion": text, "category": f"<i>{number}</i>{text[:150]}"}
        for number, text in enumerate(texts)
    )
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert not book.submit(path, name=NAME).rejected
    trainer.take(total_steps=10, examples=CATEGORIES)
    many = range(CATEGORIES)
    trainer.snapshot(0, ["?"] * CATEGORIES, [False] * CATEGORIES, [4.0] * CATEGORIES)
    trainer.steps(1, 2, [2.0, 3.0])
    trainer.snapshot(2, [text[:100_000] for text in texts], [number % 2 == 0 for number in many], [1.0] * CATEGORIES)
    book.submit(path, name=NAME)
    return trainer


def unharmed(page: Page) -> None:
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    page.set_viewport_size({"width": 1440, "height": 1000})
    assert page.evaluate("window.ran") is None, page.url
    assert page.locator("#content :is(img, iframe, script, b, object, embed)").count() == 0, page.url
    expect(page.locator("#line-word")).to_have_text("Live")


def test_every_page_stays_whole(page: Page, dashboard: Dashboard, hostile: ScriptedTrainer) -> None:
    for path in PATHS:
        page.goto(dashboard.page(path))
        settle(page)
        expect(page.locator("#crumb")).to_contain_text("<b>")
        expect(page.locator("#content h1")).to_be_visible()
        unharmed(page)


def test_an_example_is_shown_as_what_it_is(page: Page, dashboard: Dashboard, hostile: ScriptedTrainer) -> None:
    for path in ("/evolution", "/example"):
        page.goto(dashboard.page(path, "example=0"))
        expect(page.locator("#story-title")).to_contain_text("Example 0")
        for index, text in enumerate(HOSTILE.values()):
            page.evaluate("search => window.dash_clientside.set_props('url', {search})", f"?example={index}")
            expect(page.locator("#story-title")).to_contain_text(f"Example {index}")
            expect(page.locator(".guess")).to_have_count(2)
            expect(page.locator(".guess").first).to_contain_text(visible(text[:3]))
            unharmed(page)
