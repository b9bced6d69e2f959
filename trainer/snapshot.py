"""A snapshot: what the model guesses and expects for every tracked example at one step, as events.

Knows what is observed and in which order. Doesn't know the training loop, and leaves no trace in it.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from peft import PeftModel

from guessbook.proto.events_pb2 import (
    Event,
    ExamplesObserved,
    SnapshotCompleted,
    SnapshotFailed,
    SnapshotStarted,
    SnapshotThinned,
)
from guessbook.trainer.budget import Budget, Limits
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.examiner import Examiner, Question
from guessbook.trainer.observation import Judge, LastGuesses, Observation, Tally, Tracked, chunks, columns
from guessbook.trainer.undisturbed import undisturbed

_log = logging.getLogger(__name__)

_Body = SnapshotStarted | SnapshotThinned | ExamplesObserved | SnapshotCompleted | SnapshotFailed


class Interrupted(Exception):
    """Something that can't wait ended the snapshot."""


class Snapshots:
    """Takes snapshots of a run's tracked examples, the held-out ones included. `record` gets the events.

    `budget` is asked and told of the time. `seed` decides whose turn it is where not all can be guessed. `correct`: of a run that is taken up
    again, which examples were right when they were last observed, by their index.
    """

    def __init__(
        self,
        model: PeftModel,
        encoder: Encoder,
        tracked: Sequence[Tracked],
        run: str,
        record: Callable[[Event], None],
        *,
        judge: Judge | None = None,
        budget: Budget | None = None,
        seed: int = 0,
        correct: Mapping[int, bool] | None = None,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.tracked = tracked
        self.budget = budget or Budget()
        self._judge = judge or Judge()
        self._subject = f"run/{run}"
        self._record = record
        self._last = LastGuesses(correct=dict(correct or {}))
        self._examiner: Examiner | None = None
        self._turns = list(range(len(tracked)))  # the order in which examples are guessed where not all can be
        random.Random(seed).shuffle(self._turns)

    def take(
        self,
        step: int,
        reason: str,
        causation: int = 0,
        limits: Limits | None = None,
        *,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Tally | None:
        """Records one snapshot; within `limits` if there are any. Returns the tally of the tracked examples that are trained on.

        If it fails that is recorded and None is returned: training goes on without it. So it is if `interrupted`, which is asked before each forward pass.
        """
        began = time.perf_counter()
        try:
            with undisturbed(self.model):
                return self._take(step, reason, causation, limits, began, interrupted)
        except Interrupted:
            _log.info("The snapshot at step %d was interrupted.", step)
            self.fail(step, "interrupted by a command; it is taken anew when the job goes on", causation)
            return None
        except Exception as error:  # noqa: BLE001  whatever goes wrong in watching must not stop what is watched
            _log.warning("The snapshot at step %d failed, training goes on without it.", step, exc_info=True)
            self.fail(step, f"{type(error).__name__}: {error}", causation)
            return None
        finally:
            self.budget.spend(time.perf_counter() - began)

    def fail(self, step: int, error: str, causation: int = 0) -> None:
        """Records that there is no snapshot at this step, or no whole one. What was recorded last is not sure then."""
        self._last.forget_texts()
        self._tell(causation, snapshot_failed=SnapshotFailed(step=step, error=error))

    def _take(
        self,
        step: int,
        reason: str,
        causation: int,
        limits: Limits | None,
        began: float,
        interrupted: Callable[[], bool],
    ) -> Tally:
        examiner = self._examiner = self._examiner or Examiner(self.model, self.encoder)
        guessed = self._chosen(step, causation, limits)
        started = SnapshotStarted(
            step=step,
            reason=reason,
            examples=len(self.tracked),
            engine=examiner.engine,
            engine_reason=examiner.engine_reason,
        )
        self._tell(causation, snapshot_started=started)
        trained_on, held_out, tokens = Tally(), Tally(), Counter[str]()
        with _asking(self.model, interrupted):
            for guess in (True, False):
                group = [one for place, one in enumerate(self.tracked) if (place in guessed) is guess]
                since = time.perf_counter()
                for chunk in chunks(self._observe(examiner, group, guess)):
                    for observation in chunk:
                        (held_out if observation.tracked.held_out else trained_on).add(observation)
                    self._tell(examples_observed=columns(chunk, step))
                self.budget.learn(time.perf_counter() - since, len(group), len(self.tracked), guessed=guess)
                tokens.update(drafted=examiner.drafted, accepted=examiner.accepted, decoded=examiner.decoded)
        completed = SnapshotCompleted(
            step=step,
            examples=trained_on.examples,
            correct=trained_on.correct,
            mean_loss=trained_on.mean_loss,
            seconds=time.perf_counter() - began,
            guessed=len(guessed),
            drafted_tokens=tokens["drafted"],
            accepted_tokens=tokens["accepted"],
            decoded_tokens=tokens["decoded"],
            held_out=held_out.examples,
            held_out_correct=held_out.correct,
            held_out_loss=held_out.mean_loss,
        )
        self._tell(snapshot_completed=completed)
        return trained_on

    def _chosen(self, step: int, causation: int, limits: Limits | None) -> set[int]:
        """The places of the examples to guess. Where the budget lets only some be guessed, they take turns, and that is recorded."""
        plan = self.budget.plan(limits, len(self.tracked)) if limits else None
        if plan is None:
            return set(range(len(self.tracked)))
        thinned = SnapshotThinned(
            step=step,
            examples=len(self.tracked),
            guessed=plan.guessed,
            spent_seconds=plan.spent_s,
            allowed_seconds=plan.allowed_s,
            expected_seconds=plan.expected_s,
            reason=plan.reason,
        )
        self._tell(causation, snapshot_thinned=thinned)
        chosen, rest = self._turns[: plan.guessed], self._turns[plan.guessed :]
        self._turns = rest + chosen
        return set(chosen)

    def _observe(self, examiner: Examiner, group: Sequence[Tracked], guess: bool) -> Iterator[Observation]:
        questions = [Question(one.encoded, one.limit, self._last.draft(one), guess) for one in group]
        for place, answer in examiner.examine(questions):
            yield self._last.observe(self._judge, group[place], answer.guess, answer.expectation)

    def _tell(self, causation: int = 0, **body: _Body) -> None:
        self._record(Event(subject=self._subject, causation=causation, **body))  # type: ignore[arg-type]


@contextmanager
def _asking(model: PeftModel, interrupted: Callable[[], bool]) -> Iterator[None]:
    """Raises Interrupted in the middle of whatever the model is used for. Each pass, of whatever engine, looks up its tokens' embeddings."""

    def ask(*_: object) -> None:
        if interrupted():
            raise Interrupted

    hook = model.get_input_embeddings().register_forward_pre_hook(ask)
    try:
        yield
    finally:
        hook.remove()
