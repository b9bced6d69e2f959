"""The attack on trainers in its short form."""

from pathlib import Path

import pytest
from durability import exact_resume
from durability.ledger import table
from durability.seeds import seed


@pytest.mark.timeout(180)
def test_every_killed_run_ends_with_the_adapter_of_an_undisturbed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = exact_resume.attack(tmp_path, 8, seed(capsys, "killed trainers"))
    print(table([result]))
    assert result.clean, table([result])
