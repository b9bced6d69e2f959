"""The rules of docs/design.md: who may import whom, no relative imports, the package list, the sizes."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("clients", "projections", "server", "store", "trainer")
LONGEST_FUNCTION = 50
LONGEST_FILE = 400

# What of guessbook.* each room may import; a name covers everything below it.
ARROWS = {
    "store": {"proto", "store"},
    "projections": {"proto", "projections"},
    "server": {"proto", "store", "projections", "server"},
    "trainer": {
        "proto",
        "trainer",
        "projections.guess_codec",
        "store.artifacts",
        "store.dataset",
        "store.home",
        "store.spool",
        "clients.client",
        "clients.connection",
        "clients.embedded",
        "clients.errors",
        "clients.producer",
        "clients.report",
    },
    "clients": {
        "proto",
        "projections",
        "clients",
        "store.config",
        "store.home",
        "store.job_config",
        "store.recorded",
        "store.spool",
    },
}
FORBIDDEN = {
    "store": {"grpc", "torch", "transformers", "dash", "typer"},
    "server": {"torch", "transformers", "peft", "dash", "typer"},
    "trainer": {"lmdb", "dash", "typer"},
    "clients": {"lmdb", "torch", "transformers", "peft"},
}
# Projections are pure: the standard library without clock, randomness and I/O, numpy and protobuf.
IMPURE = {"time", "random", "secrets", "uuid", "os", "io", "socket", "subprocess", "pathlib", "threading"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The full name of every imported module. `from guessbook.store import frame` gives guessbook.store.frame."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def covered(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_it_may_know(room: str) -> None:
    allowed = {f"guessbook.{one}" for one in ARROWS[room]}
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(room)
        for name in imports(path)
        if name.startswith("guessbook") and not covered(name, allowed)
    ]
    assert not offenders


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_a_room_does_without_what_belongs_to_another(room: str) -> None:
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(room)
        for name in imports(path)
        if covered(name, FORBIDDEN[room])
    ]
    assert not offenders


def test_projections_are_pure() -> None:
    allowed = (sys.stdlib_module_names - IMPURE) | {"numpy", "google", "guessbook"}
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules("projections")
        for name in imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert not offenders
    clocks = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules("projections")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert not clocks, "datetime may format a time of an event, not ask for the time"


def test_only_the_dashboard_knows_dash_and_only_the_cli_knows_typer() -> None:
    homes = {"dash": "dashboard", "typer": "cli"}
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules("clients")
        for name in imports(path)
        if (home := homes.get(name.split(".")[0])) and home not in path.parts
    ]
    assert not offenders


def test_pyproject_lists_the_packages_on_disk() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {"guessbook.proto"} | {
        ".".join(("guessbook", *init.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert listed == found


def test_functions_and_files_are_short() -> None:
    offenders = []
    for path in (path for room in ROOMS for path in modules(room)):
        text = path.read_text()
        if (lines := len(text.splitlines())) > LONGEST_FILE:
            offenders.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert not offenders


def test_every_module_says_what_it_knows() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in modules(room)
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not offenders
