"""The fuzzer in its short form."""

from pathlib import Path

import pytest
from durability import fuzz
from durability.ledger import table
from durability.seeds import seed


def test_no_bytes_crash_a_reader_or_fill_its_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fuzz.attack(tmp_path, 3000, seed(capsys, "fuzz"))
    assert result.clean, table([result])
