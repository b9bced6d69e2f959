"""What the documentation shows: its pages, their commands and their programs, in order. Runs nothing."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON, CONSOLE = "python", "console"


@dataclass(frozen=True)
class Shown:
    """A command, as a line of a shell, or a program in Python."""

    language: str
    text: str


def shown(page: Path) -> list[Shown]:
    """Each command and each program of a page, in order."""
    found: list[Shown] = []
    for language, block in FENCED.findall(page.read_text()):
        if language == PYTHON:
            found.append(Shown(PYTHON, block))
        elif language == CONSOLE:
            found += [Shown(CONSOLE, line[2:]) for line in block.splitlines() if line.startswith("$ ")]
    return found


def commands(page: Path, program: str) -> list[list[str]]:
    """The commands of one program in a page's console blocks, each as words, in order."""
    lines = [one.text for one in shown(page) if one.language == CONSOLE]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words and words[0] == program]


def python_blocks(page: Path) -> list[str]:
    """The programs, and the parts of programs, that a page shows, in order."""
    return [one.text for one in shown(page) if one.language == PYTHON]


def block_of(page: Path, language: str) -> str:
    """The page's one block of a language."""
    (block,) = [text for found, text in FENCED.findall(page.read_text()) if found == language]
    return str(block)
