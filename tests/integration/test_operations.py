"""What whoever runs the server sees: its metrics, its own log, and what doctor asks."""

import json
import logging
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_events import run_start, step
from server_process import ServerProcess

from guessbook.clients.cli import server_checks
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError, Rejected
from guessbook.clients.producer import Producer
from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.server import logs

PATIENCE_S = 30.0


def _lines(server: ServerProcess) -> list[dict[str, Any]]:
    text = (server.home.root / "server.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[ServerProcess, str]]:
    """A server that serves metrics, and where."""
    with ServerProcess(tmp_path / "home", options=["--metrics-port", "0"]) as server:
        told = next(line["message"] for line in _lines(server) if "metrics are at" in line["message"])
        yield server, told.removeprefix("metrics are at ")


def _metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address, timeout=5) as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_the_metrics_tell_what_the_server_does(measured: tuple[ServerProcess, str], tmp_path: Path) -> None:
    server, address = measured
    assert address.startswith("http://127.0.0.1:")
    before = _metrics(address)
    with server.client() as book, book.producer("p", tmp_path / "p.sqlite") as producer:
        answers = book.subscribe()
        next(answers)
        producer.record(run_start(1))
        for number in range(1, 101):
            producer.record(step(number))
        assert producer.flush(PATIENCE_S)
        after = _metrics(address)
        head = book.head().position
        assert after["guessbook_head_position"] == head
        assert after["guessbook_projection_position"] <= head
        assert after["guessbook_events_appended_total"] == head
        assert after["guessbook_append_seconds_count"] > before["guessbook_append_seconds_count"]
        assert after["guessbook_commit_seconds_count"] > before["guessbook_commit_seconds_count"]
        assert after["guessbook_commit_seconds_sum"] > 0
        assert after["guessbook_writer_queue_depth"] == 0
        assert after["guessbook_subscribers"] == 1
        assert 0 < after["guessbook_log_bytes"] < after["guessbook_log_map_bytes"]
        assert after["guessbook_log_map_used_bytes"] < after["guessbook_log_map_bytes"]
        answers.close()
        deadline = time.monotonic() + PATIENCE_S
        while _metrics(address)["guessbook_subscribers"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_there_are_no_metrics_unless_they_are_asked_for(server: ServerProcess) -> None:
    assert not [line for line in _lines(server) if "metrics" in line["message"]]


def test_every_call_that_changed_or_failed_has_one_line(server: ServerProcess, tmp_path: Path) -> None:
    dataset = tmp_path / "facts.jsonl"
    dataset.write_text('{"question": "1+1?", "answer": "2"}\n')
    with server.client() as book:
        book.submit(dataset, config=TrainingConfig(base_model="tiny"))
        queued = book.head().position
        book.status()
        book.jobs()
        with pytest.raises(Rejected):
            book.pause()
        with Guessbook(server.address, "wrong") as stranger, pytest.raises(GuessbookError):
            stranger.status()
        with Producer("p", tmp_path / "p.sqlite", server.address, token=server.home.token("trainer")) as producer:
            producer.record(run_start(1))
            assert producer.flush(PATIENCE_S)
        head = book.head().position
    server.stop()
    calls = [line for line in _lines(server) if line.get("rpc")]
    by_rpc = {line["rpc"]: line for line in calls}
    assert len(calls) == len(by_rpc), calls
    assert set(by_rpc) == {"Upload", "SubmitJob", "PauseJob", "GetStatus", "Append"}
    assert (by_rpc["SubmitJob"]["actor"], by_rpc["SubmitJob"]["position"]) == ("admin", queued)
    assert "FAILED_PRECONDITION" in by_rpc["PauseJob"]["message"]
    assert "actor" not in by_rpc["GetStatus"]
    assert "UNAUTHENTICATED" in by_rpc["GetStatus"]["message"]
    assert (by_rpc["Append"]["actor"], by_rpc["Append"]["position"]) == ("trainer", head)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in _lines(server))


def test_doctor_hears_from_the_server_how_it_is(server: ServerProcess) -> None:
    found = {finding.name: finding for finding in server_checks.all_about(server.home)}
    assert found.keys() == {"reachable", "connected", "versions", "clock", "log map", "readers"}
    assert [name for name, finding in found.items() if finding.level != "ok"] == ["connected"]
    server.stop()
    assert [finding.level for finding in server_checks.all_about(server.home)] == ["warn"]


def test_on_a_terminal_a_line_is_text_that_steers_nothing() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "job \x1b[31m%s\n", ("x",), None)
    record.rpc, record.position = "SubmitJob", 7
    line = logs.TextFormatter().format(record)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO job �\[31mx� rpc=SubmitJob position=7", line)
