"""What axe-core finds on every page: light and dark, wide and narrow, with dialogs open. A serious or critical violation fails."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from e2e.browser import settle
from e2e.furnished import PAGES, furnish
from e2e.processes import Dashboard
from e2e.scripted import ScriptedTrainer
from playwright.sync_api import Page, expect
from server_process import ServerProcess

from guessbook.clients.client import Guessbook

pytestmark = pytest.mark.long  # minutes, mostly of the browser

AXE = Path(__file__).parents[2] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = {1440: 1000, 390: 844}
# What opens a dialog on a page, by its name.
DIALOGS = {
    "/": ("Share", "Pause", "Submit a dataset", "Consolidate"),
    "/versions": ("Delete",),
    "/backups": ("Settings…", "Restore…", "Prune…"),
}


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        missing = "axe-core is not installed; `make axe` does it, where there is npm"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return AXE.read_text()


@pytest.fixture
def check(page: Page, axe: str) -> Callable[[str], list[str]]:
    """What is wrong with the page as it is now, one line a violation. `where` names the page in it."""

    def checked(where: str) -> list[str]:
        # Through the debugger: the page's policy lets no script in, and shall not.
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [line for violation in found["violations"] for line in _told(where, violation)]

    return checked


def _told(where: str, violation: dict[str, Any]) -> list[str]:
    if violation["impact"] not in ("serious", "critical"):
        return []
    nodes = [f"{' '.join(map(str, node['target']))} ({_reason(node)})" for node in violation["nodes"]]
    return [f"{where}: {violation['id']}: {node}" for node in nodes]


def _reason(node: dict[str, Any]) -> str:
    return str(node["failureSummary"]).partition("\n")[2].strip()


# The grid draws its headers anew for another width.
HEADERS_ARE_THERE = (
    "[...document.querySelectorAll('.ag-header-row')].every((row) => row.querySelector('[role=columnheader]'))"
)


def opened(page: Page, dashboard: Dashboard, path: str) -> None:
    """The page, when all that it asks for is there."""
    page.goto(dashboard.page(path, PAGES[path]))
    expect(page.locator("#line-word")).to_have_text("Live")
    expect(page.locator("#crumb")).to_contain_text("now.jsonl")
    settle(page)


@pytest.fixture
def furnished(server: ServerProcess, book: Guessbook, trainer: ScriptedTrainer, tmp_path: Path) -> None:
    furnish(server, book, trainer, tmp_path)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.usefixtures("furnished")
def test_no_page_keeps_anybody_out(
    page: Page, dashboard: Dashboard, check: Callable[[str], list[str]], scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    found: list[str] = []
    for path in PAGES:
        opened(page, dashboard, path)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function(HEADERS_ARE_THERE)
            found += check(f"{path} {width}")
        page.set_viewport_size({"width": 1440, "height": WIDTHS[1440]})
        for button in DIALOGS.get(path, ()):
            page.get_by_role("button", name=re.compile(f"^{re.escape(button)}")).first.click()
            expect(page.get_by_role("dialog").first).to_be_visible()
            settle(page)
            found += check(f"{path} {button}")
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)
    assert not found, "\n".join(found)
