"""The documentation shows only commands and options that exist, and every verb is documented."""

import importlib.util
import re
from itertools import pairwise
from pathlib import Path

import pytest
from documentation import PAGES, ROOT, commands
from typer.core import TyperCommand, TyperGroup

from guessbook.clients.cli.main import command, verbs_of

LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def cli() -> TyperGroup:
    return command()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page: Path, cli: TyperGroup) -> None:
    verbs: dict[str, TyperCommand] = dict(verbs_of(cli))
    for words in commands(page, "guessbook"):
        options = [word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)]
        verb = next((verb for verb in _verbs(words) if verb in verbs), None)
        params = verbs[verb].params if verb else cli.params
        known = {option for param in params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
        assert verb or options == ["--help"], f"{page.name}: no such verb: {words}"
        assert set(options) <= known, f"{page.name}: {words}"


def test_every_verb_and_option_is_in_the_reference(cli: TyperGroup) -> None:
    reference = (ROOT / "docs" / "cli.md").read_text()
    missing = [verb for verb, _ in verbs_of(cli) if f"guessbook {verb}" not in reference]
    assert not missing


def test_every_verb_has_an_example_and_json(cli: TyperGroup) -> None:
    for name, verb in verbs_of(cli):
        assert f"Example: guessbook {name}" in (verb.help or ""), name
        assert any("--json" in param.opts for param in verb.params), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for file, section in LINK.findall(page.read_text()):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not section or section in _sections(target), f"{file}#{section}"


def test_the_made_part_of_the_api_page_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("generate_api", ROOT / "docs" / "generate_api.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.PAGE.read_text()
    assert script.page(written) == written, "run `make docs`"


def test_every_promise_has_its_test() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert named
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in _source(ROOT / file)]
    assert not missing


def _verbs(words: list[str]) -> list[str]:
    """What may be the verb of a command: a word, or two that follow each other."""
    return [*(f"{one} {other}" for one, other in pairwise(words[1:])), *words[1:]]


def _sections(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text())}


def _source(file: Path) -> str:
    return file.read_text() if file.exists() else ""
