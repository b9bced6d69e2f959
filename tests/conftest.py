"""Fixtures that every folder of tests shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.scripted import ScriptedTrainer
from server_process import ServerProcess
from terminal import Terminal

from guessbook.clients.client import Guessbook

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes runs under `make e2e-long` and `make e2e-dashboard`. Elsewhere it is left out, not skipped: nothing is missing for it."""
    long = [item for item in items if item.get_closest_marker("long")]
    if long and not os.environ.get("GUESSBOOK_LONG"):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(autouse=True)
def data_folder() -> Iterator[None]:
    """A ServerProcess says in the environment where its data folder is; that ends with its test."""
    before = os.environ.get("GUESSBOOK_HOME")
    yield
    if before is None:
        os.environ.pop("GUESSBOOK_HOME", None)
    else:
        os.environ["GUESSBOOK_HOME"] = before


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running server; its log is verified when the test is over."""
    with ServerProcess(tmp_path / "home") as process:
        yield process


@pytest.fixture
def book(server: ServerProcess) -> Iterator[Guessbook]:
    with server.client() as client:
        yield client


@pytest.fixture
def trainer(book: Guessbook, tmp_path: Path) -> Iterator[ScriptedTrainer]:
    """Says what a test has it say; trains nothing."""
    scripted = ScriptedTrainer(book, tmp_path / "scripted.spool")
    yield scripted
    scripted.close()


@pytest.fixture
def terminal(server: ServerProcess) -> Terminal:
    """The command line on the running server's data folder."""
    return Terminal(server.home.root)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data that developers and CI have beside the repository."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real data in {folder}")
    return folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model to train in seconds."""
    from tiny_model import make_tiny_model  # only who wants it pays for torch

    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """So small a model is faster on one thread, all the more on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
