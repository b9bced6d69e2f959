"""The audit has what destroys something without stages, too."""

import json

from made_events import beginning, numbered

from guessbook.projections import book as book_fold
from guessbook.proto.events_pb2 import Event, File, HistoryArchived, VersionCreated, VersionPurged
from guessbook.proto.safety_pb2 import OPERATION_STAGE_COMPLETED


def test_what_empties_the_trash_and_what_archives_the_log_is_in_the_audit() -> None:
    name = "v001_19700101_facts"
    purged = VersionPurged(files=[File(path="a", sha256="a" * 64, bytes=7)])
    archived = HistoryArchived(
        first_position=1, last_position=4, file="1-4", sha256="b" * 64, bytes=9, reason="last year's"
    )
    events = [
        Event(subject="run/run-0001", version_created=VersionCreated(slug="facts", run="run-0001")),
        Event(subject=f"version/{name}", actor="server", version_purged=purged),
        Event(subject="server", actor="admin", history_archived=archived),
    ]
    book = book_fold.fold(numbered([*beginning(), *events]))
    purge, archive = book.operations.by_id.values()
    assert (purge.kind, purge.target, purge.actor, purge.position) == ("purge", name, "server", 7)
    assert json.loads(purge.after) == {"bytes": 7, "files": 1}
    assert (archive.kind, archive.target, archive.actor, archive.reason) == ("archive", "1-4", "admin", "last year's")
    assert json.loads(archive.after)["sha256"] == "b" * 64
    assert {one.stage for one in (purge, archive)} == {OPERATION_STAGE_COMPLETED}
    assert not book.operations.under_way()
