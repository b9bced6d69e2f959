"""What doctor makes of what the server tells about itself, and of the modes of secrets."""

from pathlib import Path

import pytest

from guessbook.clients.cli import checks, server_checks
from guessbook.clients.cli.server_checks import Told
from guessbook.proto.history_pb2 import Status, Trainer
from guessbook.store.home import Home


def told(skew_s: float = 0.0, way_s: float = 0.01, **known: object) -> Told:
    return Told(Status(**known), skew_s, way_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(("skew_s", "level"), [(0.0, "ok"), (-1.9, "ok"), (2.5, "warn"), (-90.0, "warn")])
def test_clocks_that_differ_are_told(skew_s: float, level: str) -> None:
    found = server_checks.clock(told(skew_s))
    assert found.level == level
    assert ("behind" in found.message) == (skew_s < -2)


def test_a_slow_way_is_not_taken_for_a_wrong_clock() -> None:
    assert server_checks.clock(told(skew_s=5.0, way_s=10.0)).level == "ok"


def test_a_log_that_fills_up_and_reads_that_do_not_end_are_told() -> None:
    gib = 1024**3
    assert server_checks.log_map(told(map_bytes=64 * gib, map_used_bytes=gib)).level == "ok"
    assert server_checks.log_map(told(map_bytes=64 * gib, map_used_bytes=60 * gib)).level == "warn"
    assert server_checks.readers(told(log_readers=2)).level == "ok"
    assert server_checks.readers(told(log_readers=900)).level == "warn"


def test_another_version_and_a_missing_trainer_are_told() -> None:
    assert server_checks.versions(told(server_version="0.0.1")).level == "warn"
    assert server_checks.connected(told()).level == "warn"
    assert server_checks.connected(told(trainers=[Trainer(id="t", connected=True)])).message == "t"


def test_a_token_that_others_may_read_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert checks.secrets_private(home).level == "ok"
    home.tokens.mkdir(mode=0o700)
    token = home.tokens / "admin"
    token.write_text("secret")
    token.chmod(0o600)
    assert checks.secrets_private(home).level == "ok"
    token.chmod(0o640)
    found = checks.secrets_private(home)
    assert found.level == "fail"
    assert found.advice == f"chmod go= {token}"
