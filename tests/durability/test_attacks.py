"""The harness of `make durability` in its short form: the same attacks, fewer rounds."""

from pathlib import Path

import pytest
from durability import bit_flips, dropped_acks, full_disk, guarded_crashes, kills, power_cuts, strace, syscall_faults
from durability.ledger import Ledger, Result, batch, compare, table
from durability.seeds import seed

from guessbook.proto.events_pb2 import Event


def _assert_clean(result: Result) -> None:
    print(table([result]))
    assert result.clean, table([result])


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _assert_clean(kills.attack(tmp_path, 6, seed(capsys, "kills")))


def test_nothing_acknowledged_is_lost_when_the_power_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strace.require()
    _assert_clean(power_cuts.attack(tmp_path, 150, seed(capsys, "power cuts")))


def test_the_power_cuts_would_find_a_log_that_does_not_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strace.require()
    result = power_cuts.attack(tmp_path, 20, seed(capsys, "power cuts without sync"), options=("--without-sync",))
    assert result.lost + result.corrupt > 0  # which of the two it is depends on what the disk happened to keep


def test_a_system_call_that_fails_is_never_acknowledged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strace.require()
    _assert_clean(syscall_faults.attack(tmp_path, 10, seed(capsys, "system calls")))


def test_what_is_damaged_is_never_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _assert_clean(bit_flips.attack(tmp_path, 150, seed(capsys, "bit flips")))


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_is_told_and_overcome(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind not in full_disk.kinds():
        pytest.skip(f"this user may not mount a {kind} here, not even in a namespace of his own")
    _assert_clean(full_disk.attack(tmp_path, 3, seed(capsys, "full disk"), kind))


def test_every_event_is_stored_once_when_acknowledgements_are_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _assert_clean(dropped_acks.attack(tmp_path, 30, seed(capsys, "dropped acknowledgements")))


def test_a_guarded_operation_that_is_killed_ends_and_leaves_the_old_state_or_the_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strace.require()
    _assert_clean(guarded_crashes.attack(tmp_path, 4, seed(capsys, "guarded operations")))


def test_the_ledger_counts_what_is_wrong() -> None:
    """Lost, doubled, changed, torn and moved events each show in their column."""
    ledger = Ledger()
    events: list[Event] = []
    for sequence in range(1, 40):
        ledger.acknowledge("p", sequence, len(events) + 1)
        events += batch("p", sequence)
    for number, event in enumerate(events, start=1):
        event.position = number
    positions = ledger.positions()
    assert compare(positions, events).unharmed
    assert compare(positions, events[:-1]).lost == 1
    again = [*events, *batch("p", 7)]
    for number, event in enumerate(again, start=1):
        event.position = number
    assert compare(positions, again).doubled == len(batch("p", 7))
    changed = Event()
    changed.CopyFrom(events[0])
    changed.step_completed.loss += 1
    assert compare(positions, [changed, *events[1:]]).corrupt == 1
    assert compare({**positions, ("p", 3): 1}, events).corrupt == 1
    ledger.acknowledge("p", 3, 1)
    assert ledger.moved == 1
    assert not Result("nothing was tried").clean
