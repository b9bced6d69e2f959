"""The systemd unit: what systemd itself says of it, and what is done with it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guessbook.clients.cli import service
from guessbook.clients.cli.main import command
from guessbook.clients.cli.service import Unit
from guessbook.clients.errors import NotFound, Rejected
from guessbook.store.home import Home

STRANGE = 'it\'s 100% "mine" $HOME; \\ so'


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place for user units, and a systemctl that must not be called."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GUESSBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return tmp_path / "config" / "systemd" / "user"


def guessbook(*words: str) -> None:
    command().main(list(words), standalone_mode=False)


def words_of(text: str) -> list[str]:
    """ExecStart as systemd reads it, by systemd.service(5): quotes and backslashes first, then %% and $$."""
    line = next(line for line in text.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")
    words, word, quoted, escaped = [], "", False, False
    for character in line:
        if escaped:
            word, escaped = word + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == " " and not quoted:
            words.append(word)
            word = ""
        else:
            word += character
    return [one.replace("%%", "%").replace("$$", "$") for one in [*words, word]]


@pytest.mark.parametrize("system", [False, True])
def test_systemd_finds_nothing_wrong_with_it(system: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    file = tmp_path / "guessbook-tested.service"
    file.write_text(Unit("guessbook-tested", system, Home(tmp_path / STRANGE)).text())
    where = "--system" if system else "--user"
    done = subprocess.run(
        [analyze, where, "verify", "--man=no", file], check=False, capture_output=True, text=True, timeout=60
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if file.name in line]
    assert not told, told


@pytest.mark.parametrize("system", [False, True])
def test_it_runs_up_on_the_data_folder_and_lets_the_trainer_finish(system: bool, tmp_path: Path) -> None:
    home = Home(tmp_path / STRANGE)
    text = Unit("guessbook", system, home, service.up_words(1, 2, 3, "a model")).text()
    up = [
        "up",
        "--home",
        str(home.root),
        "--port",
        "1",
        "--dashboard-port",
        "2",
        "--trainers",
        "3",
        "--base-model",
        "a model",
    ]
    assert words_of(text) == [sys.executable, "-m", "guessbook.clients.cli.main", *up]
    lines = text.splitlines()
    assert {"Restart=on-failure", "TimeoutStopSec=180", "KillMode=mixed"} <= set(lines)
    assert (
        ("After=network.target" in lines)
        == ("ProtectSystem=full" in lines)
        == ("WantedBy=multi-user.target" in lines)
        == system
    )
    assert any(line.startswith("User=") for line in lines) == system


def test_show_writes_nothing_and_install_writes_what_it_shows(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    guessbook("service", "show", "--port", "7000")
    shown = capfd.readouterr().out
    assert not config.exists()
    guessbook("service", "install", "--port", "7000")
    told = capfd.readouterr()
    assert (config / "guessbook.service").read_text() == shown
    assert "systemctl --user daemon-reload" in told.err
    assert "systemctl --user enable --now guessbook" in told.err
    guessbook("service", "install", "--port", "7001")  # again: it is ours
    assert "7001" in (config / "guessbook.service").read_text()


def test_uninstall_removes_it_and_its_link(config: Path) -> None:
    guessbook("service", "install", "--name", "mine")
    enabled = config / "default.target.wants" / "mine.service"
    enabled.parent.mkdir()
    enabled.symlink_to(config / "mine.service")
    guessbook("service", "uninstall", "--name", "mine")
    assert not enabled.is_symlink()
    assert not (config / "mine.service").exists()
    with pytest.raises(NotFound):
        guessbook("service", "uninstall", "--name", "mine")


def test_a_unit_of_somebody_else_is_left_alone(config: Path) -> None:
    config.mkdir(parents=True)
    theirs = config / "guessbook.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    for verb in ("install", "uninstall"):
        with pytest.raises(Rejected, match="not written by Guessbook"):
            guessbook("service", verb)
    assert "/bin/true" in theirs.read_text()


def test_a_unit_for_another_data_folder_is_replaced_only_by_force(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    guessbook("service", "install")
    first = (config / "guessbook.service").read_text()
    monkeypatch.setenv("GUESSBOOK_HOME", str(tmp_path / STRANGE))
    with pytest.raises(Rejected, match="on another data folder"):
        guessbook("service", "install")
    assert (config / "guessbook.service").read_text() == first
    guessbook("service", "install", "--name", "other")
    guessbook("service", "install", "--force")
    guessbook("service", "install", "--port", "7001")  # again: it is this folder's now
    assert "100%%" in (config / "guessbook.service").read_text()
