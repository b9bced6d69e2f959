"""Waits for the end of an embedded server, which ends by itself some time after its last user."""

import fcntl
import time

from guessbook.store.home import Home
from guessbook.store.verify import verify

END_S = 40.0


def assert_ends(home: Home) -> None:
    """Its keeper and the server end, and leave a sound log."""
    deadline = time.monotonic() + END_S
    with home.users_lock.open("a") as users, (home.log / "writer.lock").open("a") as writer:
        for lock in (writer, users):  # the other way round this test would be a user
            while not _free(lock.fileno()):
                assert time.monotonic() < deadline, "an embedded server was left behind"
                time.sleep(0.05)
        assert not home.address_file.exists()
    verdict = verify(home.log)
    assert verdict.ok, verdict


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
