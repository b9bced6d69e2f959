"""The attack on archiving in its short form."""

from pathlib import Path

import pytest
from durability import archive_crashes, strace
from durability.ledger import table
from durability.seeds import seed


@pytest.mark.timeout(300)
def test_a_crash_while_history_is_archived_leaves_it_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strace.require()
    result = archive_crashes.attack(tmp_path, 5, seed(capsys, "crashes while archiving"))
    print(table([result]))
    assert result.clean, table([result])
