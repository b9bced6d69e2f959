"""The commands that the documentation shows, for the tests that check them and the one that runs them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> list[list[str]]:
    """The commands of one program in a page's console blocks, each as words, in order."""
    lines = [line for block in BLOCK.findall(page.read_text()) for line in block.splitlines()]
    split = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ ")]
    return [words for words in split if words and words[0] == program]


def python_blocks(page: Path) -> list[str]:
    """The programs, and the parts of programs, that a page shows, in order."""
    return PYTHON.findall(page.read_text())
