"""How much of 3-2-1 is met: only copies count that are recent, by a clock that is right, and lack nothing."""

from guessbook.projections.backups import FRESH_US, HOUR_US, coverage
from guessbook.proto.safety_pb2 import Backup, Place

NOW = 1_000 * FRESH_US
PLACES = [Place(name="local"), Place(name="usb"), Place(name="cellar", offsite=True)]


def backup(place: str, age_us: int = 0, head: int = 1, missing: tuple[str, ...] = ()) -> Backup:
    return Backup(id="b", place=place, created_at_us=NOW - age_us, head=head, sound=True, missing=missing)


def test_three_copies_in_two_locations_one_of_them_offsite() -> None:
    met = coverage([backup("local"), backup("cellar")], PLACES, NOW)
    assert (met.met, met.copies, met.places, met.offsite) == (True, 3, 2, True)
    assert not coverage([backup("local"), backup("usb")], PLACES, NOW).met


def test_what_is_old_or_from_a_clock_that_was_ahead_counts_no_more() -> None:
    for age_us in (FRESH_US, -2 * HOUR_US):
        view = coverage([backup("local"), backup("cellar", age_us)], PLACES, NOW)
        assert (view.met, view.copies, view.offsite) == (False, 2, False)
        assert "cellar, usb" in view.advice


def test_a_backup_that_lacks_files_is_no_copy_and_they_are_named() -> None:
    lacking = backup("cellar", 0, 2, missing=("ab" * 32,))
    view = coverage([backup("local"), backup("cellar", 1), lacking], PLACES, NOW)
    assert (view.met, view.copies) == (False, 2)
    assert "cellar" in view.advice
    assert "ab" * 32 in view.advice
    assert coverage([backup("local"), lacking, backup("cellar", 0, 3)], PLACES, NOW).met
