"""Everything that the documentation shows is typed, page by page and in order, on a real data folder with a real (tiny) training."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documentation import PAGES, ROOT, Shown, shown
from eventually import eventually
from reader import FACTS, Reader, lesson
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import JOB_STATE_COMPLETED

# What begins so is not typed here: it does all set-up, or starts on this machine what other tests start more carefully. Each with the test that runs it.
ELSEWHERE = {
    "make ": "tests/e2e/test_demo.py",
    "guessbook demo": "tests/e2e/test_demo.py",
    "guessbook up": "tests/integration/test_supervisor.py",
    "guessbook trainer": "tests/integration/test_remote_trainer.py",
    "torchrun ": "tests/integration/test_torchrun.py",
    "import sys\n\nimport torch\n": "tests/integration/test_guessbook_callback.py",
    "from guessbook.trainer import GuessbookCallback\n": "tests/integration/test_guessbook_callback.py",
}


def elsewhere(one: Shown) -> bool:
    return any(one.text.startswith(start) for start in ELSEWHERE)


@pytest.fixture(scope="module")
def trained(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose book has a run of 60 steps, two versions and a signed checkpoint; a trainer waits for more."""
    root = tmp_path_factory.mktemp("documentation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        patch.setenv("GUESSBOOK_HOME", str(root / "guessbook-data"))
        patch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin")
        with ServerProcess(root / "guessbook-data", base_model=str(model_folder)) as server:
            server.stop()  # signs what there is
            server.start()
            command = [sys.executable, "-m", "guessbook.trainer.daemon", "--address", server.address]
            with subprocess.Popen(command) as trainer, server.client() as book:
                try:
                    make_versions(book, model_folder)
                    yield server
                finally:
                    trainer.terminate()


def make_versions(book: Guessbook, model: Path) -> None:
    """v001 and v002, neither of the other; the first is the latest, so that nothing comes from the second and it can be deleted."""
    eventually(lambda: any(trainer.connected for trainer in book.status().trainers))
    train(book, model)
    train(book, model)
    book.request_operation("rollback", "v001", reason="v002 is to be deleted")
    eventually(lambda: any(one.latest and one.number == 1 for one in book.versions().versions))


def train(book: Guessbook, model: Path) -> None:
    job = book.submit(FACTS, config=lesson(model, max_steps=60)).job.id
    eventually(lambda: job in [done.id for done in book.jobs(states=[JOB_STATE_COMPLETED]).jobs])


@pytest.fixture
def reader(trained: ServerProcess, model_folder: Path, tmp_path: Path) -> Iterator[Reader]:
    someone = Reader(trained, model_folder, tmp_path / "folder")
    yield someone
    someone.leave()


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_what_a_page_shows_works(page: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader.folder)
    for one in shown(page):
        if not elsewhere(one):
            reader.follow(one)


def test_what_is_not_typed_is_run_by_another_test() -> None:
    everything = [one for page in PAGES for one in shown(page)]
    assert all(any(one.text.startswith(start) for one in everything) for start in ELSEWHERE)
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())
