"""An embedded server: found or started, shared, and gone when its last user is, however that one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_end import assert_ends
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.embedded import EmbeddedServer, serving
from guessbook.clients.errors import GuessbookError
from guessbook.store.home import Home

LINGER_S = 0.3
HOLD = """
import sys, time
from pathlib import Path
from guessbook.clients.embedded import EmbeddedServer
from guessbook.store.home import Home
server = EmbeddedServer(Home(Path(sys.argv[1])), linger_s=float(sys.argv[2]))
print(server.address, flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("GUESSBOOK_ADDRESS", raising=False)
    return Home(tmp_path / "home")


def test_it_is_started_where_none_runs_and_ends_when_nobody_uses_it(home: Home) -> None:
    with EmbeddedServer(home, LINGER_S) as first:
        assert first.started
        with EmbeddedServer(home, LINGER_S) as second:
            assert not second.started
            assert second.address == first.address
        with Guessbook(first.address, home.token) as book:
            assert home.is_at(book.status().home)
    assert_ends(home)
    with EmbeddedServer(home, LINGER_S) as again:
        assert again.started
    assert_ends(home)


def test_a_killed_user_leaves_no_server_behind(home: Home) -> None:
    command = [sys.executable, "-c", HOLD, str(home.root), str(LINGER_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout
        assert user.stdout.readline().strip() == home.address()
        assert serving(home)
        os.kill(user.pid, signal.SIGKILL)
    assert_ends(home)


def test_a_server_that_runs_already_is_used_and_left_alone(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as process:
        with EmbeddedServer(process.home, LINGER_S) as server:
            assert not server.started
            assert server.address == process.address
        assert serving(process.home)


def test_what_keeps_it_from_starting_is_told(home: Home) -> None:
    home.log.parent.mkdir(parents=True)
    home.log.write_text("not a log")
    with pytest.raises(GuessbookError, match="no server could be started") as failure:
        EmbeddedServer(home, LINGER_S)
    assert "safe" in failure.value.hint
