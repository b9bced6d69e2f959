"""`make screenshots`: a picture of every page, light and dark, wide and narrow, of a real run.

Of the data folder that SCREENSHOTS_HOME names, or of the demo's run, which trains a small model first (some minutes). What is in the folder stays as it
is: a copy is served. The one in the README is the page Evolution with an example open.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.browser import ARGUMENTS, executable, settle
from e2e.processes import Dashboard
from playwright.sync_api import Browser, Page, sync_playwright
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import EXAMPLE_STATE_LEARNED

WIDTHS = {1440: 1000, 390: 844}
SCHEMES = ("light", "dark")
README = ("evolution-example", 1440, "light")
# A picture of all that can be scrolled to: what stays in the window else would lie across its middle.
WHOLE = ".header, .navigation, .timebar, .past-bar { position: static !important; }"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"), help="the folder of the pictures")
    parser.add_argument("--home", type=Path, help="a data folder with a run (default: $SCREENSHOTS_HOME, or the demo)")
    parser.add_argument("--readme", type=Path, help="where the README's picture goes as well")
    asked = parser.parse_args(arguments)
    given = asked.home or os.environ.get("SCREENSHOTS_HOME")
    asked.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="guessbook-screenshots-") as name:
        home = Path(name) / "home"
        shutil.copytree(given, home, symlinks=True) if given else _demo(home)
        with (
            ServerProcess(home, trainer_grace=600, start_grace=600, base_model="none") as server,
            server.client() as book,
            Dashboard(home, server.address) as dashboard,
            _chromium() as browser,
        ):
            if not book.backups().backups:
                book.create_backup()
            for taken in _pictures(browser, dashboard, _pages(book), asked.into):
                print(taken)
    if asked.readme:
        shutil.copy(_file(asked.into, *README), asked.readme)
        print(asked.readme)
    return 0


def _demo(home: Path) -> None:
    environment = {**os.environ, "GUESSBOOK_HOME": str(home), "GUESSBOOK_ADDRESS": ""}
    subprocess.run([sys.executable, "-m", "guessbook.clients.cli.main", "demo", "--once"], env=environment, check=True)


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


def _pages(book: Guessbook) -> dict[str, tuple[str, str]]:
    """Path and query of each picture, by its name."""
    run = book.run()
    middle = run.snapshots[len(run.snapshots) // 2]
    # The one that took most tries: it has the most to tell.
    found = book.examples(run.id, states=[EXAMPLE_STATE_LEARNED], sort="-learned", limit=1).examples
    example = found[0].index if found else 0
    pages = {
        "training": ("/", ""),
        "evolution": ("/evolution", ""),
        "evolution-data-map": ("/evolution", "tab=map"),
        "evolution-insights": ("/evolution", "tab=insights"),
        "evolution-example": ("/evolution", f"example={example}"),
        "evolution-past": ("/evolution", f"at={middle.position}"),
        "example": ("/example", f"example={example}"),
        "versions": ("/versions", ""),
        "audit": ("/audit", ""),
        "backups": ("/backups", ""),
    }
    versions = [version.name for version in book.versions().versions]
    if versions:
        pages["version"] = ("/versions", f"version={versions[0]}" + (f"&with={versions[1]}" if versions[1:] else ""))
    return pages


def _pictures(browser: Browser, dashboard: Dashboard, pages: dict[str, tuple[str, str]], into: Path) -> Iterator[Path]:
    for scheme in SCHEMES:
        for width, height in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.set_default_timeout(60_000)
            for name, (path, query) in pages.items():
                page.goto(dashboard.page(path, query))
                # With an example open, list and story fill the window, and on a phone the story alone.
                yield _picture(page, _file(into, name, width, scheme), whole=name != "evolution-example")
            context.close()


def _picture(page: Page, file: Path, *, whole: bool) -> Path:
    page.wait_for_function("() => ['Live', 'Past'].includes(document.getElementById('line-word')?.textContent)")
    settle(page)
    window = page.viewport_size
    assert window
    if whole:
        # A window in which all of it is seen: what is far below a window, the list of examples doesn't draw.
        page.evaluate("scrollTo(0, 0)")
        page.add_style_tag(content=WHOLE)
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({**window, "height": max(height, window["height"])})
        settle(page)
    if page.locator("#examples:visible").count():
        page.locator(".ag-row .text-cell").first.wait_for()
    page.screenshot(path=file)
    sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if sideways > 0:
        print(f"{file.name} can be scrolled sideways by {sideways} px", file=sys.stderr)
    page.set_viewport_size(window)
    return file


def _file(into: Path, name: str, width: int, scheme: str) -> Path:
    return into / f"{name}-{width}-{scheme}.png"


if __name__ == "__main__":
    sys.exit(main())
