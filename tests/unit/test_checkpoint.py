from pathlib import Path

import pytest

from guessbook.trainer import checkpoint


def save(folder: Path, step: int, *, complete: bool = True) -> Path:
    path = checkpoint.place(folder, step)
    (path / "part").mkdir(parents=True)
    (path / "weights").write_bytes(b"w" * 1000)
    (path / "part" / "state").write_text(str(step))
    if complete:
        assert checkpoint.complete(path) == 1000 + len(str(step))
    return path


def test_the_newest_complete_one_is_found_up_to_a_step(tmp_path: Path) -> None:
    for step in (5, 20, 100):
        save(tmp_path, step)
    assert checkpoint.last_complete(tmp_path, at_most=1000) == checkpoint.place(tmp_path, 100)
    assert checkpoint.last_complete(tmp_path, at_most=99) == checkpoint.place(tmp_path, 20)
    assert checkpoint.last_complete(tmp_path, at_most=4) is None
    assert checkpoint.step_of(checkpoint.place(tmp_path, 100)) == 100


def test_a_folder_that_is_not_there_has_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.last_complete(tmp_path / "run", at_most=9) is None
    assert checkpoint.go_back(tmp_path / "run", 9) is None


@pytest.mark.parametrize("damage", ["no marker", "half a marker", "file gone", "file cut", "bit turned"])
def test_a_torn_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 10)
    torn = save(tmp_path, 20)
    marker, weights = torn / checkpoint.MARKER, torn / "weights"
    if damage == "no marker":
        marker.unlink()
    elif damage == "half a marker":
        marker.write_text(marker.read_text()[:40])
    elif damage == "file gone":
        (torn / "part" / "state").unlink()
    elif damage == "file cut":
        weights.write_bytes(b"w" * 999)
    else:
        weights.write_bytes(b"v" + b"w" * 999)
    assert checkpoint.last_complete(tmp_path, at_most=99) == checkpoint.place(tmp_path, 10)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (9, 10, 11):
        save(tmp_path, step)
    checkpoint.prune(tmp_path, known=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-11"]


def test_the_last_one_that_the_log_knows_is_kept_besides(tmp_path: Path) -> None:
    for step in (4, 5, 6, 7, 8, 9):
        save(tmp_path, step)
    (checkpoint.place(tmp_path, 6) / "weights").write_bytes(b"w" * 999)
    checkpoint.prune(tmp_path, known=6)
    kept = {"checkpoint-5", "checkpoint-6", "checkpoint-8", "checkpoint-9"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert checkpoint.go_back(tmp_path, 6) == checkpoint.place(tmp_path, 5)
    save(tmp_path, 10)
    checkpoint.prune(tmp_path, known=0)  # the run can begin anew without any
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-5", "checkpoint-10"}


def test_a_torn_one_is_not_one_of_the_two_and_nothing_goes_while_there_is_no_second(tmp_path: Path) -> None:
    for step in (8, 9):
        save(tmp_path, step)
    (save(tmp_path, 10) / "weights").write_bytes(b"w" * 999)
    save(tmp_path, 11)
    checkpoint.prune(tmp_path, known=10)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-9", "checkpoint-10", "checkpoint-11"}
    (checkpoint.place(tmp_path, 9) / checkpoint.MARKER).unlink()
    checkpoint.prune(tmp_path, known=10)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-9", "checkpoint-10", "checkpoint-11"}


def test_only_the_checkpoints_of_runs_that_are_over_are_removed(tmp_path: Path) -> None:
    for run in ("run-0001", "run-0002"):
        save(tmp_path / run, 5)
    checkpoint.remove_runs(tmp_path, {"run-0001", "run-0009", ""})
    assert [path.name for path in tmp_path.iterdir()] == ["run-0002"]
    checkpoint.remove_runs(tmp_path / "nothing", {"run-0001"})


def test_later_ones_go_before_their_steps_are_trained_again(tmp_path: Path) -> None:
    save(tmp_path, 10)
    save(tmp_path, 20, complete=False)
    save(tmp_path, 30)
    checkpoint.staging(tmp_path).mkdir()
    assert checkpoint.go_back(tmp_path, 20) == checkpoint.place(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]


def test_what_the_log_does_not_know_is_set_aside_where_there_is_nothing_else(tmp_path: Path) -> None:
    for _ in range(2):  # the second time it meets those of the first
        later = save(tmp_path, 20)
        assert checkpoint.go_back(tmp_path, 10) is None
        assert not later.exists()
        assert checkpoint.is_complete(tmp_path / checkpoint.ASIDE / later.name)
    assert checkpoint.go_back(tmp_path, 99) is None


def test_what_this_process_could_not_complete_is_removed_and_nobody_elses(tmp_path: Path) -> None:
    checkpoint.discard_unfinished(tmp_path)
    other = tmp_path / ".saving-elsewhere-7"
    for folder in (checkpoint.staging(tmp_path), other):
        save(folder, 20, complete=False)
    checkpoint.discard_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [other]
