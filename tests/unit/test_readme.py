"""The tree in the README names every module, with a phrase, and nothing that isn't there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("clients", "projections", "proto", "server", "store", "trainer")
LINE = re.compile(r"^(?P<indent> *)(?P<name>[\w.]+/?)(?:  +(?P<phrase>\S.*))?$")


def tree() -> dict[str, str]:
    """path → phrase, from the block under "Reading the source"."""
    text = (ROOT / "README.md").read_text()
    block = text.split("## Reading the source", 1)[1].split("```", 2)[1]
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block.splitlines()[1:]:
        match = LINE.match(line)
        assert match, f"not a line of the tree: {line!r}"
        depth = len(match["indent"]) // 2
        folders = folders[:depth]
        if match["name"].endswith("/"):
            folders.append(match["name"].rstrip("/"))
        else:
            found["/".join([*folders, match["name"]])] = match["phrase"] or ""
    return found


def test_the_tree_names_every_module_and_nothing_else() -> None:
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for pattern in ("*.py", "*.proto")
        for path in (ROOT / room).rglob(pattern)
        if path.name != "__init__.py" and "gen" not in path.parts
    }
    assert set(tree()) == on_disk


def test_every_file_has_a_phrase() -> None:
    assert [path for path, phrase in tree().items() if not phrase] == []


def test_it_opens_with_the_two_commands() -> None:
    first_block = (ROOT / "README.md").read_text().split("```", 2)[1]
    assert [line for line in first_block.splitlines()[1:] if line.startswith("make ")] == [
        line for line in first_block.splitlines()[1:] if line
    ]
    assert "make demo" in first_block
    assert "make test" in first_block
