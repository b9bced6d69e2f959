"""Whose a run's checkpoints are: the newest claim counts."""

from pathlib import Path

import pytest

from guessbook.clients.errors import Displaced
from guessbook.trainer.claim import Claim


def test_the_newest_claim_counts_and_the_older_one_learns_of_it(tmp_path: Path) -> None:
    first = Claim(tmp_path / "run-1", "box 1")
    first.check()
    second = Claim(tmp_path / "run-1", "other 4")
    second.check()
    with pytest.raises(Displaced, match="taken up by trainer other 4") as late:
        first.check()
    assert late.value.hint
    Claim(tmp_path / "run-1", "box 2").check()
    with pytest.raises(Displaced):
        second.check()


def test_where_nothing_is_left_nothing_can_be_harmed(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "run-1", "box 1")
    (tmp_path / "run-1" / "holder").unlink()
    claim.check()
