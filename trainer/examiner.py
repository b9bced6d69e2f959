"""Examines the model: its own guess and how well it expects the right one, of many examples. Knows batches and engines, not what is recorded."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.expectation import Expectation, expectations
from guessbook.trainer.forward import Forward
from guessbook.trainer.guess import Guess, Guesser
from guessbook.trainer.row import Row
from guessbook.trainer.undisturbed import undisturbed
from guessbook.trainer.verifying import Verifier

BATCH_ROWS = 128
BATCH_TOKENS = 16384  # of one batch, guesses included; bounds its cache
LOSS_TOKENS = 4096  # of one loss pass beside generate; bounds its logits

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """`draft`: tokens of the last guess, or none. `limit`: the most tokens of a guess, at least 1. Without `guess` it is measured only."""

    encoded: Encoded
    limit: int
    draft: Sequence[int] = ()
    guess: bool = True


@dataclass(frozen=True)
class Answer:
    guess: Guess | None
    expectation: Expectation


class Examiner:
    """Answers questions in batches.

    `engine` is "verify" if the model can do what that takes, which is tried out here, and else "generate", with the reason in `engine_reason`. Of the last
    call of `examine`: tokens of guesses that were `drafted` and checked, `accepted` of those, and `decoded` besides, one a row and pass.
    """

    def __init__(self, model: PeftModel | PreTrainedModel, encoder: Encoder) -> None:
        self.model = model
        self.encoder = encoder
        self.drafted = self.accepted = self.decoded = 0
        self._stops = frozenset(encoder.stop_ids)
        self._forward = Forward(model, encoder.pad_id)
        with undisturbed(model), torch.no_grad():
            self._guesser = Guesser(model, encoder)
            self.engine_reason = self._forward.obstacle()
        self.engine: Literal["verify", "generate"] = "generate" if self.engine_reason else "verify"
        self._most_tokens = BATCH_TOKENS

    def examine(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answer]]:
        """Each question's place and its answer, as the batches go. The model must be in eval mode.

        A batch that doesn't fit into memory is halved, and so are those after it. Raises torch.OutOfMemoryError if not even one example fits.
        """
        self.drafted = self.accepted = self.decoded = 0
        # The longest first: what doesn't fit into memory shows at once.
        places = sorted(range(len(questions)), key=lambda place: _width(questions[place]), reverse=True)
        while places:
            widest = _width(questions[places[0]])
            batch = places[: max(1, min(BATCH_ROWS, self._most_tokens // widest))]
            try:
                answers = self._answers([questions[place] for place in batch])
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self._most_tokens = len(batch) // 2 * widest
                _log.warning("There is no memory for %d examples at once. It goes on with half as many.", len(batch))
                continue
            places = places[len(batch) :]
            yield from zip(batch, answers, strict=True)

    def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        window = self._forward.window
        # Where a model looks back over so many columns only, masked ones must not push any out of sight.
        fits = window is None or 2 * max(map(_width, questions)) <= window
        return self._verified(questions) if self.engine == "verify" and fits else self._generated(questions)

    def _verified(self, questions: Sequence[Question]) -> list[Answer]:
        rows = [
            Row(question.encoded, question.draft, question.limit if question.guess else 0, self._stops)
            for question in questions
        ]
        verifier = Verifier(self._forward)
        verifier.fill(rows)
        self.drafted += verifier.drafted
        self.accepted += verifier.accepted
        self.decoded += verifier.decoded
        return [self._answer(row) for row in rows]

    def _answer(self, row: Row) -> Answer:
        guess = self._guesser.as_guess(row.out, row.probabilities) if row.out else None
        return Answer(guess, Expectation(row.loss, row.token_accuracy))

    def _generated(self, questions: Sequence[Question]) -> list[Answer]:
        at_once = max(1, LOSS_TOKENS // max(map(_width, questions)))
        expected: list[Expectation] = []
        for begin in range(0, len(questions), at_once):
            part = [question.encoded for question in questions[begin : begin + at_once]]
            expected += expectations(self.model, part, self.encoder.pad_id)
        asked = [question for question in questions if question.guess]
        guesses = iter(
            self._guesser.guess([one.encoded for one in asked], [one.limit for one in asked]) if asked else []
        )
        answers = [
            Answer(next(guesses) if one.guess else None, own) for one, own in zip(questions, expected, strict=True)
        ]
        self.decoded += sum(len(answer.guess.tokens) for answer in answers if answer.guess)
        return answers


def _width(question: Question) -> int:
    """The most tokens that the example takes up, its guess included."""
    answer = question.encoded.answer_length
    return question.encoded.prompt_length + (max(answer, question.limit) if question.guess else answer)
