import math

import numpy as np
import torch

from guessbook.trainer.encoding import IGNORED, Encoded
from guessbook.trainer.losses import Scores, scored
from guessbook.trainer.row import Row

STOP = 9


def row(answer: list[int], limit: int) -> Row:
    encoded = Encoded(0, np.array([5, 6, *answer], dtype=np.int32), 2, truncated=False)
    return Row(encoded, (), limit, frozenset([STOP]))


def said(*top: int) -> Scores:
    return Scores(list(top), [0.5] * len(top), [1.0] * len(top))


def test_the_answer_is_the_guess_if_the_model_would_have_said_it() -> None:
    one = row([1, 2, STOP], 8)
    assert list(one.read) == [5, 6, 1, 2]  # what the end gives is of no interest
    one.measure(said(1, 2, STOP))
    assert (one.out, one.left, one.loss, one.token_accuracy) == ([1, 2, STOP], 0, 1.0, 1.0)


def test_at_the_first_difference_the_guess_is_what_the_model_said_instead() -> None:
    one = row([1, 2, STOP], 8)
    one.measure(said(1, 3, STOP))
    assert (one.out, one.left, one.token_accuracy) == ([1, 3], 6, 2 / 3)
    assert one.length == 3  # the prompt and the token that was read and right


def test_an_answer_that_was_cut_may_go_on() -> None:
    one = row([1, 2], 8)
    assert list(one.read) == [5, 6, 1, 2]
    assert one.expected == [1, 2, IGNORED]
    one.measure(said(1, 2, 7))
    assert (one.out, one.loss) == ([1, 2, 7], 1.0)


def test_a_limit_ends_it_within_the_answer() -> None:
    one = row([1, 2, 3, STOP], 2)
    one.measure(said(1, 2, 3, STOP))
    assert (one.out, one.left) == ([1, 2], 0)


def test_without_a_guess_there_are_measures_alone() -> None:
    one = row([1, STOP], 0)
    one.measure(said(1, 4))
    assert (one.out, one.token_accuracy) == ([], 0.5)


def test_a_draft_counts_up_to_its_first_wrong_token() -> None:
    one = row([1, STOP], 10)
    one.out = [4]
    assert one.accept([5, 6, 7], said(5, 6, 8, 2)) == 2
    assert one.out == [4, 5, 6, 8]


def test_nothing_comes_behind_what_ends_it() -> None:
    one = row([1, STOP], 10)
    one.out = [4]
    assert one.accept([5, STOP, 7], said(5, STOP, 7, 2)) == 2
    assert (one.out, one.left) == ([4, 5, STOP], 0)


def test_scores_tell_the_top_token_its_probability_and_the_loss_of_the_expected_one() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])).repeat(400, 1)  # more than one piece
    scores = scored(logits, torch.tensor([1, IGNORED]).repeat(400))
    assert scores.top == [0, 2] * 400
    np.testing.assert_allclose(scores.probability, [0.5, 0.7] * 400, rtol=1e-6)
    np.testing.assert_allclose(scores.loss, [math.log(4), 0.0] * 400, rtol=1e-6)
    first, second = scores.parts([1, 2])
    assert (first.top, second.top) == ([0], [2, 0])
