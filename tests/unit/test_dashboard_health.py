"""What the page Training says of the state of things."""

import pytest

from guessbook.clients.dashboard.training import health, inbox, recent_versions
from guessbook.proto.events_pb2 import Consolidation, FileReceived
from guessbook.proto.history_pb2 import Status, Trainer, Version
from guessbook.proto.safety_pb2 import Coverage

MET = Coverage(copies=3, places=2, offsite=True, met=True, sentence="3-2-1: met")
SOUND = Status(
    trainers=[Trainer(id="box", connected=True, device="cuda:0")],
    disk_free_bytes=10**12,
    map_bytes=100,
    map_used_bytes=1,
    server_version="1",
)


def changed(**fields: object) -> Status:
    status = Status()
    status.CopyFrom(SOUND)
    status.MergeFrom(Status(**fields))  # type: ignore[arg-type]
    return status


def verdicts(status: Status, coverage: Coverage = MET) -> dict[str, str]:
    return {one.what: one.verdict for one in health.findings(status, coverage)}


def test_all_is_fine() -> None:
    found = health.findings(SOUND, MET)
    assert {one.verdict for one in found} == {"fine"}
    assert health.summary(found) == "All fine"


@pytest.mark.parametrize(
    ("status", "what", "verdict"),
    [
        (changed(disk_free_bytes=5 * 10**9), "Disk", "look"),
        (changed(disk_free_bytes=10**8), "Disk", "act"),
        (changed(map_used_bytes=90), "Log", "act"),
        (changed(misplaced_events=2), "Events", "look"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(status: Status, what: str, verdict: str) -> None:
    (finding,) = [one for one in health.findings(status, MET) if one.verdict != "fine"]
    assert (finding.what, finding.verdict) == (what, verdict)
    assert finding.advice


def test_a_queue_without_a_trainer_wants_one() -> None:
    assert verdicts(Status(queued=1, disk_free_bytes=10**12))["Trainers"] == "act"
    assert verdicts(Status(disk_free_bytes=10**12))["Trainers"] == "look"


def test_copies_are_as_bad_as_they_are_few() -> None:
    assert verdicts(SOUND, Coverage(copies=1))["Copies"] == "act"
    assert verdicts(SOUND, Coverage(copies=2))["Copies"] == "look"


def test_of_the_past_nothing_is_told_that_is_known_of_now_alone() -> None:
    assert list(verdicts(changed(past=True))) == ["Copies", "Trainers"]


@pytest.mark.parametrize(
    ("received", "told"),
    [
        (FileReceived(file="inbox/normal/a.jsonl", job="j1"), "queued as j1"),
        (FileReceived(file="data/active/a.jsonl", job="j1", moved_to="data/completed/a.jsonl"), "j1 is completed"),
        (
            FileReceived(file="inbox/normal/a.jsonl", reason="It is empty.", moved_to="inbox/rejected/a.jsonl"),
            "Rejected: It is empty. The file and its report are inbox/rejected/a.jsonl and inbox/rejected/a.jsonl.report.txt",
        ),
    ],
)
def test_what_became_of_a_file(received: FileReceived, told: str) -> None:
    assert told in inbox.outcome(received)


def test_what_a_version_gained() -> None:
    assert recent_versions.gain(Version(baseline_accuracy=0.1, final_accuracy=0.75)) == "10% → 75% right"
    assert recent_versions.gain(Version(baseline_accuracy=-1, final_accuracy=-1)) == "without snapshots"
    merged = Version(consolidation=Consolidation(version="v001_a"))
    assert recent_versions.gain(merged) == "v001_a merged into its base"
