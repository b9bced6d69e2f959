"""A server, a dashboard and a real browser, made anew for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.browser import ARGUMENTS, executable
from e2e.processes import Dashboard
from playwright.sync_api import Browser, Page, expect, sync_playwright
from server_process import ServerProcess

expect.set_options(timeout=15_000)  # a busy machine is no failure

# What the page says of a callback that failed goes away again; the console keeps it.
TELL_FAILURES = """
new MutationObserver(() => {
  const said = document.getElementById("problem")?.textContent || "";
  if (said.startsWith("A part of this page failed") && said !== window.failure) console.error((window.failure = said));
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Not for the whole session: while it lives it keeps an event loop, in which other tests could not run theirs."""
    try:
        found = executable()
    except FileNotFoundError as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """A tab, closed before the dashboard ends. The test fails if its page reports an error, or asks anything of another host."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    context.add_init_script(TELL_FAILURES)
    tab = context.new_page()
    tab.set_default_timeout(15_000)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(f"page error: {error}"))
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: None if _local(request.url) else problems.append(f"asked {request.url}"))
    tab.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    yield tab
    context.close()
    assert problems == []


def _local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Trainers of these tests come and go without losing their job."""
    with ServerProcess(tmp_path / "home", trainer_grace=60, start_grace=60, base_model="none") as process:
        yield process


@pytest.fixture
def dashboard(server: ServerProcess, tmp_path: Path) -> Iterator[Dashboard]:
    with Dashboard(tmp_path / "home", server.address) as process:
        yield process
