"""Which browser the tests drive, and how it is started; and when a page of Dash is at rest."""

import shutil

from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # those that `make chromium` is content with
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]


def executable() -> str:
    """Where it is. Raises FileNotFoundError where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        raise FileNotFoundError(f"none of {', '.join(BROWSERS)} is on the PATH; `make chromium` installs one")
    return found


# Dash marks what waits for an answer. Its worker's script never counts as loaded, so a page of it is never "networkidle".
_SETTLED = """() => !document.querySelector('[data-dash-is-loading]')
  && performance.getEntriesByType('resource').every(loaded => performance.now() - loaded.responseEnd > 500)"""


def settle(page: Page) -> None:
    """Waits until nothing is asked for, and nothing came for half a second."""
    page.wait_for_function(_SETTLED, timeout=60_000)
