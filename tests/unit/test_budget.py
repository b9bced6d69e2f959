"""The snapshots' budget: what is thinned, by how much, and what is said about it."""

import pytest

from guessbook.trainer.budget import Budget, Limits


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def used(clock: Clock, *, guess_s: float = 1.0, measure_s: float | None = None, spent_s: float = 0.0) -> Budget:
    """A budget in training, whose costs are known."""
    budget = Budget(clock=clock)
    budget.begin()
    budget.guess_s, budget.measure_s = guess_s, measure_s
    clock.now += spent_s
    budget.spend(spent_s)
    return budget


def test_without_limits_everything_is_guessed() -> None:
    assert used(Clock(), spent_s=1e6).plan(Limits(0, 0), 100) is None


def test_a_share_of_the_training_time_counts_no_snapshots() -> None:
    clock = Clock()
    budget = used(clock, spent_s=20)
    clock.now += 300
    assert budget.training_s() == pytest.approx(300)
    assert budget.plan(Limits(percent=10, seconds=0), 10) is None  # 20 spent and 10 to spend are the 30 allowed
    plan = budget.plan(Limits(percent=9, seconds=0), 10)
    assert plan is not None
    assert (plan.spent_s, plan.allowed_s, plan.expected_s) == pytest.approx((20, 27, 10))
    # 7 s are left. Measuring all takes 5, as half a guess each until that is known; a guess takes half a second more.
    assert plan.guessed == 4
    assert (
        plan.reason
        == "4 of 10 guesses are made: all would take about 10 s, and 7 s are left of 9 % of 300 s of training"
    )


def test_what_was_measured_alone_tells_its_cost() -> None:
    clock = Clock()
    budget = used(clock, measure_s=0.1)
    clock.now += 100
    plan = budget.plan(Limits(percent=10, seconds=0), 20)
    assert plan is not None
    assert plan.guessed == 8  # 10 s: 2 for measuring, and 0.9 more for each guess
    budget.learn(8.0, 20, 20, guessed=True)  # guesses have become cheaper
    assert budget.plan(Limits(percent=10, seconds=0), 20) is None


def test_when_even_measuring_takes_too_long_it_is_said() -> None:
    clock = Clock()
    budget = used(clock, measure_s=0.5, spent_s=60)
    clock.now += 100
    plan = budget.plan(Limits(percent=10, seconds=0), 10)
    assert plan is not None
    assert plan.guessed == 0
    assert plan.reason.endswith(
        "0 s are left of 10 % of 100 s of training; measuring alone takes about 5 s, and is done all the same"
    )


def test_seconds_go_in_equal_parts_to_the_scheduled_snapshots_and_the_last_one_has_its_own() -> None:
    budget = used(Clock(), measure_s=0.0, spent_s=10)
    plan = budget.plan(Limits(percent=0, seconds=50, ahead=6), 10)
    assert plan is not None
    assert plan.guessed == 5  # 50 less 10 that are spent and 10 for the last, in 6 parts
    assert plan.allowed_s == pytest.approx(15)
    assert budget.plan(Limits(percent=0, seconds=50, ahead=3), 10) is None


def test_the_tighter_of_two_limits_counts() -> None:
    clock = Clock()
    budget = used(clock, measure_s=0.0)
    clock.now += 50
    plan = budget.plan(Limits(percent=10, seconds=1000), 10)
    assert plan is not None
    assert plan.guessed == 5
    assert "10 % of 50 s of training" in plan.reason


def test_a_run_that_is_taken_up_again_goes_on_with_what_it_has_used() -> None:
    clock = Clock()
    budget = Budget(spent_s=30, trained_s=200, clock=clock)
    budget.begin()
    clock.now += 100
    assert budget.training_s() == pytest.approx(300)
    assert (
        budget.plan(Limits(percent=10, seconds=0), 10) is None
    )  # all 30 are used, and what a guess costs is to be seen
    plan = budget.plan(Limits(percent=9, seconds=0), 10)
    assert plan is not None
    assert plan.guessed == 0
    assert "what they cost is not known yet" in plan.reason


def test_nothing_is_learned_from_no_examples() -> None:
    budget = used(Clock(), measure_s=0.2)
    budget.learn(0.0, 0, 10, guessed=True)
    budget.learn(0.0, 0, 10, guessed=False)
    assert (budget.guess_s, budget.measure_s) == (1.0, 0.2)


def test_a_few_of_many_examples_tell_only_that_one_costs_less() -> None:
    budget = used(Clock(), guess_s=1.0)
    budget.learn(12.0, 4, 1000, guessed=True)  # a batch of four takes almost as long as one of many
    assert budget.guess_s == 1.0
    budget.learn(2.0, 4, 1000, guessed=True)
    assert budget.guess_s == 0.5
    budget.learn(300.0, 100, 1000, guessed=True)
    assert budget.guess_s == 3.0
    budget.learn(16.0, 4, 4, guessed=True)  # all there are
    assert budget.guess_s == 4.0
