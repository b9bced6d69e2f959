"""What killed processes left behind goes after a day; what somebody may be at work on stays, and so does everything else."""

import os
import time
from pathlib import Path

from guessbook.store import leftovers
from guessbook.store.home import Home

DAY_S = 24 * 3600


def _made(path: Path, age_s: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half")
    for one in (path, path.parent):
        os.utime(one, (time.time() - age_s,) * 2)
    return path


def test_what_nobody_wrote_to_for_a_day_is_abandoned(tmp_path: Path) -> None:
    home, temporary = Home(tmp_path / "home"), tmp_path / "tmp"
    old = 2 * DAY_S
    abandoned = {
        _made(temporary / "guessbook-drill-old" / "file", old).parent,
        _made(home.root / "guessbook-merge-old" / "file", old).parent,
        _made(home.artifacts / "incoming-old.tmp", old),
    }
    _made(temporary / "guessbook-drill-new" / "file", 0)
    _made(temporary / "somebody-elses" / "file", old)
    _made(home.artifacts / "incoming-new.tmp", 0)
    _made(home.artifacts / "ab" / "abcd", old)
    _made(home.log / "data.mdb", old)
    busy = _made(home.root / "guessbook-merge-busy" / "deep" / "file", 0).parents[1]
    os.utime(busy, (time.time() - old,) * 2)  # the folder is old, and what is in it isn't
    assert set(leftovers.abandoned(home, time.time(), temporary)) == abandoned
    for path in abandoned:
        leftovers.remove(path)
        assert not path.exists()
    assert not set(leftovers.abandoned(home, time.time(), temporary))
