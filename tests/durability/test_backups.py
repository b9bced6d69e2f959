"""The attacks on backups in their short form."""

from pathlib import Path

import pytest
from durability import backups, full_disk, full_place
from durability.ledger import Result, table
from durability.seeds import seed


def _assert_clean(result: Result) -> None:
    print(table([result]))
    assert result.clean, table([result])


def test_every_backup_made_under_load_restores_what_was_acknowledged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _assert_clean(backups.attack(tmp_path, 3, seed(capsys, "backups")))


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_place_is_told_and_harms_no_backup(kind: str, tmp_path: Path) -> None:
    if kind not in full_disk.kinds():
        pytest.skip(f"this user may not mount a {kind} here, not even in a namespace of his own")
    _assert_clean(full_place.attack(tmp_path, kind))
