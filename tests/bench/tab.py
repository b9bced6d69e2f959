"""A tab that is measured: how long it takes to show what was asked for. Knows the dashboard's addresses and its list, no server."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from e2e.browser import ARGUMENTS, executable, settle
from playwright.sync_api import Browser, Page, sync_playwright

PROBE = (Path(__file__).parent / "probe.js").read_text()
DEADLINE_MS = 30_000
Rows = dict[int, int | None]  # the example in a row of the list; None: any


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """One tab of a browser that knows nothing yet, at a page of the dashboard until it is closed."""

    def __init__(self, browser: Browser, link: str, path: str) -> None:
        self._context = browser.new_context(viewport={"width": 1440, "height": 1000})
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(DEADLINE_MS)
        self.page.add_init_script(PROBE)
        self.address = link.replace("/?", f"{path}?")
        self.page.goto(self.address, wait_until="commit")

    def close(self) -> None:
        self._context.close()

    def reload(self) -> None:
        self.page.reload(wait_until="commit")

    def first_rows_ms(self) -> float:
        """From the beginning of the navigation to the first row's text."""
        took = self.page.evaluate("probe.rows({0: null}).then(time => time - performance.timeOrigin)")
        return float(took)

    def jump_ms(self, row: int) -> float:
        """The list is in the order of the file."""
        return self._until("probe.jump(given)", row, {row: row, row + 3: row + 3})

    def address_ms(self, query: dict[str, str], rows: Rows) -> float:
        """From a change of the address, with which each press that filters or sorts ends."""
        return self._until("probe.address(given)", f"?{urlencode(query)}" if query else "", rows)

    def search_ms(self, text: str, rows: Rows) -> float:
        """From the last key; the list waits a little for a next one."""
        return self._until("probe.type(given)", text, rows)

    def _until(self, act: str, given: object, rows: Rows) -> float:
        """From a page at rest, as a person has it who looks at the rows before the next press."""
        settle(self.page)
        return float(self.page.evaluate(f"([given, rows]) => probe.until(() => {act}, rows)", [given, rows]))

    def steps_shown(self) -> list[tuple[int, float]]:
        """Each step that the page showed, with the time in seconds since 1970."""
        return [(step, time / 1000) for step, time in self.page.evaluate("probe.shown")]

    def wait_for_step(self, step: int) -> None:
        self.page.wait_for_function("step => probe.shown.length && probe.shown.at(-1)[0] >= step", arg=step)


def timed(times: int, once: Callable[[], float]) -> list[float]:
    return [once() for _ in range(times)]


def other(choices: list[str], than: str) -> str:
    return random.choice([choice for choice in choices if choice != than])
