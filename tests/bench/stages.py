"""Times one set of questions in three ways: with the engine, with plain batched `generate` and a loss pass, and with a loss pass alone."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from guessbook.trainer.encoding import Encoded
from guessbook.trainer.examiner import Answer, Examiner, Question
from guessbook.trainer.expectation import expectations
from guessbook.trainer.undisturbed import undisturbed

LOSS_ROWS = 32


@dataclass
class Stages:
    """Seconds by stage, the least of `repeats`; how many guesses were made and how many differed from those of `generate`."""

    examiner: Examiner
    repeats: int
    engine_s: dict[str, float] = field(default_factory=dict)
    generate_s: dict[str, float] = field(default_factory=dict)
    loss_pass_s: dict[str, float] = field(default_factory=dict)
    guesses: int = 0
    different: int = 0

    def measure(self, stage: str, questions: Sequence[Question]) -> None:
        """The last guesses of the questions are the engine's drafts. The model is left as it was."""
        plain = Examiner(self.examiner.model, self.examiner.encoder)
        plain.engine = "generate"
        with undisturbed(self.examiner.model):
            self.engine_s[stage], answers = self._timed(lambda: _answers(self.examiner, questions))
            counts = (self.examiner.drafted, self.examiner.accepted, self.examiner.decoded)
            self.generate_s[stage], generated = self._timed(lambda: _answers(plain, questions))
            # Whichever is faster: the engine's own pass, which looks at no logits but the answer's, or a plain one.
            own, _ = self._timed(lambda: _answers(self.examiner, [replace(one, guess=False) for one in questions]))
            other, _ = self._timed(lambda: self._plain_losses(questions))
            self.loss_pass_s[stage] = min(own, other)
        self.guesses += len(questions)
        self.different += sum(_tokens(one) != _tokens(other) for one, other in zip(answers, generated, strict=True))
        engine, generate, loss = self.engine_s[stage], self.generate_s[stage], self.loss_pass_s[stage]
        say(
            f"{stage}: engine {engine:.2f} s, generate and loss {generate:.2f} s ({generate / engine:.1f} x), loss pass {loss:.2f} s ({engine / loss:.2f} "
            f"passes); drafted, accepted, decoded {counts}"
        )

    def _timed(self, work: Callable[[], list[Answer]]) -> tuple[float, list[Answer]]:
        best, answers = float("inf"), []
        for _ in range(self.repeats):
            self._wait()
            begin = time.perf_counter()
            answers = work()
            self._wait()
            best = min(best, time.perf_counter() - begin)
        return round(best, 3), answers

    def _wait(self) -> None:
        if self.examiner.model.device.type == "cuda":
            torch.cuda.synchronize()

    def _plain_losses(self, questions: Sequence[Question]) -> list[Answer]:
        examples = sorted((one.encoded for one in questions), key=lambda one: len(one.input_ids))
        answers: list[Answer] = []
        for begin in range(0, len(examples), LOSS_ROWS):
            part = examples[begin : begin + LOSS_ROWS]
            answers += [
                Answer(None, one) for one in expectations(self.examiner.model, part, self.examiner.encoder.pad_id)
            ]
        return answers


def made_stages(stages: Stages, prompts: Sequence[Sequence[int]], limit: int) -> None:
    """The three stages of a model that learns nothing, since its weights are random: what it would say itself is given to it as the expected answer.

    start: an answer that it would never say, and no last guess. mid: half of the examples are learned, the others' last guess is right up to its middle.
    learned: all are.
    """
    rubbish = list(range(100, 100 + limit))
    start = [_question(place, prompt, rubbish, limit) for place, prompt in enumerate(prompts)]
    stages.measure("start", start)
    with undisturbed(stages.examiner.model):
        said = [_tokens(answer) for answer in _answers(stages.examiner, start)]
    learned = [_question(place, prompt, said[place], limit, said[place]) for place, prompt in enumerate(prompts)]
    half = [replace(one, draft=[*said[place][: limit // 2], *rubbish[limit // 2 :]]) for place, one in enumerate(start)]
    stages.measure("mid", [(learned if place % 2 else half)[place] for place in range(len(prompts))])
    stages.measure("learned", learned)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _question(
    place: int, prompt: Sequence[int], answer: Sequence[int], limit: int, draft: Sequence[int] = ()
) -> Question:
    ids = np.array([*prompt, *answer], dtype=np.int32)
    return Question(Encoded(place, ids, len(prompt), truncated=False), limit, draft)


def _answers(examiner: Examiner, questions: Sequence[Question]) -> list[Answer]:
    answers = dict(examiner.examine(questions))
    return [answers[place] for place in range(len(questions))]


def _tokens(answer: Answer) -> list[int]:
    assert answer.guess
    return list(answer.guess.tokens)
