"""Random walks over the queue: no job runs twice at a time, none is lost, and nothing is shown that isn't so."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from durability.seeds import seed
from hypothesis import HealthCheck, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.stateful import run_state_machine_as_test
from queue_systems import FoldedQueue, ServedQueue
from queue_walk import QueueWalk

WALKS, STEPS = 170, 110
FOLDED_COMMANDS = 10_000
SERVED_COMMANDS = 300


class FoldedWalk(QueueWalk):
    def __init__(self) -> None:
        super().__init__(FoldedQueue())


def test_ten_thousand_commands_over_the_decisions(capsys: pytest.CaptureFixture[str]) -> None:
    """By Hypothesis, which shortens a walk that fails."""
    QueueWalk.counted = Counter()
    machine = hypothesis_seed(seed(capsys, "queue walk over the decisions"))(FoldedWalk)
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    limits = settings(max_examples=WALKS, stateful_step_count=STEPS, deadline=None, suppress_health_check=quiet)
    run_state_machine_as_test(machine, settings=limits)
    assert QueueWalk.counted.total() >= FOLDED_COMMANDS, QueueWalk.counted


def test_three_hundred_commands_over_a_server_that_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One long walk, since a server can't be had back as it was."""
    dice = Random(seed(capsys, "queue walk over a server"))
    served = ServedQueue(tmp_path)
    try:
        walk = QueueWalk(served)
        QueueWalk.counted = Counter()
        while QueueWalk.counted.total() < SERVED_COMMANDS:
            walk.step(dice.getrandbits(64))
            walk.both_show_the_same()
        walk.teardown()
    finally:
        served.close()
