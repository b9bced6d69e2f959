"""A run's report in a real browser, opened from disk: it shows what it should and asks for nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.processes import TrainerProcess
from made_events import write_questions
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess
from tiny_model import make_tiny_model

from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.artifacts import Artifacts

SCHEMES = ("light", "dark")


@pytest.fixture(params=SCHEMES)
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab; the test fails if its page reports an error or asks for anything but the file itself."""
    context = chromium.new_context(viewport={"width": 800, "height": 900}, color_scheme=request.param)
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(f"page error: {error}"))
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("request", lambda asked: None if asked.url.startswith("file:") else problems.append(f"asked {asked.url}"))
    yield tab
    context.close()
    assert problems == []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the trainer left of a run of a tiny model."""
    folder = tmp_path_factory.mktemp("report")
    model = make_tiny_model(folder / "model")
    with (
        ServerProcess(folder / "home") as server,
        server.client() as book,
        TrainerProcess(server.home.root, server.address, "box"),
    ):
        config = TrainingConfig(base_model=str(model), max_steps=12, snapshot_steps=[4, 8], max_new_tokens=4)
        book.submit(write_questions(folder / "sums.jsonl", 12), config=config)
        file = folder / "report.html"
        file.write_bytes(b"".join(Artifacts(server.home.artifacts).read(_created(book))))
    return file


def _created(book: Guessbook) -> str:
    """The SHA-256 of the report, waited for."""
    for answer in book.subscribe(1):
        for event in answer.events:
            if event.HasField("report_created"):
                return event.report_created.sha256
    raise AssertionError("a subscription does not end")


def test_it_opens_from_disk_and_shows_how_the_run_went(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    expect(page.locator("h1")).to_have_text("sums.jsonl: 0 of 12 right, from 0")
    expect(page.locator(".lead")).to_contain_text("for 12 of 12 steps")
    expect(page.locator("svg.chart")).not_to_have_count(0)
    expect(page.locator("svg.chart").first).to_be_visible()
    page.locator("header ol a").first.click()
    expect(page.locator("#insight-0")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(246, 247, 249)", "dark": "rgb(21, 23, 27)"}[scheme]
