"""The seed of a random test: a new one each time, printed, so that a run can be had again with GUESSBOOK_SEED."""

import os
import secrets

import pytest


def seed(capsys: pytest.CaptureFixture[str], what: str) -> int:
    """Printed past pytest's capture, since the run that is wanted again may be one that ended well."""
    chosen = int(os.environ.get("GUESSBOOK_SEED") or secrets.randbelow(1 << 32))
    with capsys.disabled():
        print(f"\n{what}: seed {chosen}")
    return chosen
