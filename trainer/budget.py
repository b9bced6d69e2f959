"""How long snapshots may take, and how many guesses fit into that. Knows times and numbers, not examples and not models.

Only guesses are thinned. What is measured (loss, token accuracy) is measured for every example in any case.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

MEASURED_SHARE = 0.5  # of a guess's cost, until an example was only measured and the clock has told
MANY = 64  # examples that tell what one costs. Fewer of them don't fill a batch, and cost more each


@dataclass(frozen=True)
class Limits:
    """What the schedule allows. 0: as long as it takes. `ahead`: scheduled snapshots from this one on, the last one left out."""

    percent: float
    seconds: float
    ahead: int = 1


@dataclass(frozen=True)
class Plan:
    """So many examples are guessed, of all that are observed. Times in seconds, as in SnapshotThinned."""

    guessed: int
    spent_s: float
    allowed_s: float
    expected_s: float
    reason: str


@dataclass
class Budget:
    """The clock of one run: what its training and its snapshots have taken. A run that is taken up again brings both from before.

    The costs of an example are those of the last snapshot that tells them: a guess gets cheaper as its example is learned. They may be too low
    for a few examples. That corrects itself, since what was spent too much is not there to be spent again; too high, nothing would be guessed any more.
    """

    spent_s: float = 0.0
    trained_s: float = 0.0  # until `begin`, snapshots not counted
    clock: Callable[[], float] = time.perf_counter
    guess_s: float = 0.0  # per example that is guessed and measured; 0: not known yet
    measure_s: float | None = None  # per example that is measured only; None: not known yet

    def __post_init__(self) -> None:
        self._began: float | None = None
        self._spent_before = self.spent_s

    def begin(self) -> None:
        """Training begins now."""
        self._began = self.clock()
        self._spent_before = self.spent_s

    def training_s(self) -> float:
        """Seconds of training up to now, snapshots not counted."""
        if self._began is None:
            return self.trained_s
        return self.trained_s + self.clock() - self._began - (self.spent_s - self._spent_before)

    def spend(self, seconds: float) -> None:
        """A snapshot took so long, whether it was completed or not."""
        self.spent_s += seconds

    def learn(self, seconds: float, examples: int, of: int, *, guessed: bool) -> None:
        """So many examples of all took so long. What a few of many took counts only if it is less than what was known."""
        if not examples:
            return
        cost, known = seconds / examples, self.guess_s if guessed else self.measure_s
        if known and examples < min(MANY, of):
            cost = min(cost, known)
        if guessed:
            self.guess_s = cost
        else:
            self.measure_s = cost

    def plan(self, limits: Limits, examples: int) -> Plan | None:
        """How many of the examples to guess in the snapshot that is due; None: all of them."""
        whole = examples * self.guess_s
        allowed, meaning = self._allowed(limits, whole)
        left = allowed - self.spent_s
        if whole <= left:
            return None
        measure_s = MEASURED_SHARE * self.guess_s if self.measure_s is None else min(self.measure_s, self.guess_s)
        measuring = examples * measure_s
        more_s = self.guess_s - measure_s  # that a guess takes besides
        guessed = max(0, min(examples, int((left - measuring) / more_s))) if more_s else 0
        cost = f"all would take about {whole:.3g} s" if whole else "what they cost is not known yet"
        reason = f"{guessed} of {examples} guesses are made: {cost}, and {max(left, 0):.3g} s are left of {meaning}"
        if measuring > left:
            reason += f"; measuring alone takes about {measuring:.3g} s, and is done all the same"
        return Plan(guessed, self.spent_s, allowed, whole, reason)

    def _allowed(self, limits: Limits, whole: float) -> tuple[float, str]:
        """Seconds that this run's snapshots may have taken when this one is over, and what that is, in words.

        A share of the time of training grows with it. Seconds are for the whole run: the last snapshot, which is never thinned, has its part set aside,
        and the rest goes in equal parts to those that are scheduled before it.
        """
        choices = [(float("inf"), "")]
        if limits.percent:
            trained = self.training_s()
            choices.append((limits.percent / 100 * trained, f"{limits.percent:g} % of {trained:.3g} s of training"))
        if limits.seconds:
            part = (limits.seconds - self.spent_s - whole) / max(limits.ahead, 1)
            choices.append((self.spent_s + part, f"{limits.seconds:g} s for the run"))
        return min(choices)
