"""The dashboard when things come at the wrong moment: answers out of order, tabs that go, servers that come back, tabs that nobody looks at."""

import asyncio
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from e2e.browser import settle
from e2e.dashboard_thread import DashboardThread
from e2e.furnished import MANY, PAGES, furnish
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from eventually import eventually
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.states import BY_WORD
from guessbook.clients.dashboard.view import View
from guessbook.proto.history_pb2 import ListExamplesResponse

pytestmark = pytest.mark.long  # minutes, mostly of the browser

TRIALS = 25


@pytest.fixture
def furnished(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> ScriptedTrainer:
    furnish(server, book, trainer, tmp_path)
    return trainer


class SlowQueries(Queries):
    """Each part of the list takes another while to come."""

    chance = random.Random(5)

    async def examples(self, run: str, view: View, offset: int, limit: int) -> ListExamplesResponse:
        await asyncio.sleep(self.chance.uniform(0.02, 0.35))
        return await super().examples(run, view, offset, limit)


# Changes the address as presses do, some of them before the list has answered the one before.
PRESSES = """async changes => {
  for (const [pause, search] of changes) {
    window.dash_clientside.set_props('url', {search});
    await new Promise(done => setTimeout(done, pause));
  }
}"""


def test_the_list_ends_as_it_was_asked_for_last(
    page: Page, server: ServerProcess, book: Guessbook, furnished: ScriptedTrainer
) -> None:
    chance = random.Random(11)
    with DashboardThread(server.home, server.address, SlowQueries) as dashboard:
        page.goto(dashboard.page("/evolution"))
        expect(page.locator(".ag-row")).to_have_count(MANY)
        for trial in range(TRIALS):
            asked = [_query(chance) for _ in range(chance.randint(2, 6))]
            page.evaluate(PRESSES, [[chance.randint(0, 300), f"?{urlencode(query)}"] for query in asked])
            last = asked[-1]
            states = [BY_WORD[last["state"]]] if last["state"] else []
            found = book.examples(furnished.run, states=states, search=last["q"], sort=last["sort"])
            rows = page.locator(".ag-row")
            expect(rows, f"trial {trial}: {asked}").to_have_count(found.matching)
            for place, example in enumerate(found.examples[:4]):
                row = page.locator(f'.ag-row[row-index="{place}"]')
                expect(row, f"trial {trial}: {asked}").to_have_attribute("row-id", str(example.index))
                expect(row.locator('[col-id="prompt"]')).to_contain_text(example.prompt)
        page.goto("about:blank")  # before the dashboard ends, which it would report


def _query(chance: random.Random) -> dict[str, str]:
    return {
        "state": chance.choice(["", "learned", "regressed", "improving", "not_learned"]),
        "sort": chance.choice(["index", "loss", "-loss", "change", "learned"]),
        "q": chance.choice(["", "", "1", "What", "or so"]),
    }


def test_a_closed_tab_leaves_nothing_behind(
    page: Page, server: ServerProcess, book: Guessbook, furnished: ScriptedTrainer
) -> None:
    with DashboardThread(server.home, server.address) as dashboard:
        tabs = [page, page.context.new_page(), page.context.new_page()]
        for tab in tabs:
            tab.goto(dashboard.page("/evolution"))
            expect(tab.locator("#line-word")).to_have_text("Live")
        assert len(dashboard.hub.mailboxes) == 3
        for _ in range(4):
            tabs[1].reload()
            expect(tabs[1].locator("#line-word")).to_have_text("Live")
        tabs[1].get_by_role("link", name="Versions").click()
        tabs[2].close()
        eventually(lambda: len(dashboard.hub.mailboxes) == 2)
        tabs[1].close()
        page.goto("about:blank")
        eventually(lambda: not dashboard.hub.mailboxes)


def test_every_page_survives_the_server(
    page: Page, dashboard: Dashboard, server: ServerProcess, furnished: ScriptedTrainer
) -> None:
    tabs = [page, *(page.context.new_page() for _ in range(len(PAGES) - 1))]
    for tab, (path, query) in zip(tabs, PAGES.items(), strict=True):
        tab.goto(dashboard.page(path, query))
        expect(tab.locator("#now-step")).to_have_text("step 30 of 200")
    server.kill()
    for tab in tabs:
        expect(tab.locator("#line-word")).to_have_text(re.compile("Reconnecting|Stale"))
    server.start()
    for tab in tabs:
        expect(tab.locator("#line-word")).to_have_text("Live")
    furnished.steps(31, 34, [0.5] * MANY)
    for tab in tabs:
        expect(tab.locator("#now-step")).to_have_text("step 34 of 200")
        expect(tab.locator("#problem")).to_be_empty()


@pytest.fixture
def forgiving(chromium: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """A tab whose browser may report that nobody answers."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    tab = context.new_page()
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    yield tab
    context.close()
    assert problems == []


def test_a_tab_finds_the_dashboard_again_however_long_it_was_away(
    forgiving: Page, dashboard: Dashboard, furnished: ScriptedTrainer
) -> None:
    page = forgiving
    page.clock.install()
    page.goto(dashboard.page("/"))
    expect(page.locator("#now-step")).to_have_text("step 30 of 200")
    page.evaluate("window.opened = true")
    dashboard.kill()
    expect(page.locator("#line-word")).to_have_text("Reconnecting")
    for _ in range(60):
        page.clock.fast_forward(60_000)  # an hour
    expect(page.locator("#line-word")).to_have_text("Stale")
    furnished.steps(31, 32, [0.5] * MANY)
    dashboard.start()
    page.clock.fast_forward(5_000)
    expect(page.locator("#line-word")).to_have_text("Live")
    expect(page.locator("#now-step")).to_have_text("step 32 of 200")
    assert page.evaluate("window.opened") is True


# Chromium without a window never hides a tab by itself.
HIDE = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true}); document.dispatchEvent(new Event('visibilitychange'))"
LOOK = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"


def test_a_tab_that_nobody_looks_at_asks_nothing_and_is_right_when_it_is_seen(
    page: Page, dashboard: Dashboard, furnished: ScriptedTrainer
) -> None:
    page.clock.install()
    page.goto(dashboard.page("/evolution"))
    expect(page.locator("button.state.regressed")).to_contain_text("4")
    for _ in range(3):
        page.clock.fast_forward(5_000)  # whatever is paced, and what that leads to
        settle(page)
    page.evaluate(HIDE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or request.url))
    furnished.steps(31, 40, [0.1] * MANY)
    furnished.snapshot(40, [str(2 * i) for i in range(MANY)], [True] * MANY, [0.01] * MANY)
    seen = page.locator("#now-step")
    expect(seen).to_have_text("step 40 of 200")
    page.clock.fast_forward(5_000)
    assert asked == []
    page.evaluate(LOOK)
    expect(page.locator("button.state.learned")).to_contain_text("100%")
