"""Losses that are read off somebody else's forward passes: their values by hand, and what is said where there are none."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from guessbook.trainer import forward_losses
from guessbook.trainer.encoding import IGNORED
from guessbook.trainer.forward_losses import ForwardLosses

VOCABULARY = 8
IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
LABELS = torch.tensor([[IGNORED, IGNORED, 3, 4], [IGNORED, 6, 7, IGNORED]])


class Told(torch.nn.Module):
    """A model whose output is what a test wants it to be."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, **_: Any) -> Any:
        return self.output


def uniform() -> Tensor:
    return torch.zeros(2, 4, VOCABULARY)


def certain(place: tuple[int, int], token: int) -> Tensor:
    """Uniform, but for one place at which one token is all but sure."""
    logits = uniform()
    logits[(*place, token)] = 100.0
    return logits


def watch(output: Any, **inputs: Any) -> tuple[ForwardLosses, Told]:
    model = Told(output)
    losses = ForwardLosses(model)
    model(**({"input_ids": IDS, "attention_mask": MASK, "labels": LABELS} | inputs))
    return losses, model


def test_each_sequence_has_its_mean_loss_and_its_tokens() -> None:
    losses, _ = watch({"logits": certain((0, 1), 3)})
    passes = losses.take()
    assert passes.loss == pytest.approx(math.log(VOCABULARY) * 3 / 4)
    assert passes.tokens == 7
    assert [tokens.tolist() for tokens, _ in passes.sequences] == [[1, 2, 3, 4], [5, 6, 7]]
    assert [loss for _, loss in passes.sequences] == pytest.approx([math.log(VOCABULARY) / 2, math.log(VOCABULARY)])
    assert losses.reason == ""


def test_log_probabilities_serve_as_well() -> None:
    passes = watch({"log_probs": torch.full((2, 3), -2.0)})[0].take()
    assert passes.loss == pytest.approx(2.0)
    assert [loss for _, loss in passes.sequences] == pytest.approx([2.0, 2.0])


def test_sequences_one_behind_the_other_are_told_apart() -> None:
    labels = torch.tensor([[IGNORED, 2, IGNORED, 4]])
    places = torch.tensor([[0, 1, 0, 1]])
    output = {"logits": certain((0, 0), 2)[:1]}
    losses, _ = watch(output, input_ids=IDS[:1], labels=labels, attention_mask=None, position_ids=places)
    assert [(tokens.tolist(), round(loss, 3)) for tokens, loss in losses.take().sequences] == [
        ([1, 2], 0.0),
        ([3, 4], round(math.log(VOCABULARY), 3)),
    ]


def test_passes_of_one_step_add_up_by_their_tokens() -> None:
    losses, model = watch({"logits": uniform()})
    one = torch.tensor([[IGNORED, 2, IGNORED, IGNORED]])
    model.output = {"logits": certain((0, 0), 2)[:1]}
    model(input_ids=IDS[:1], attention_mask=MASK[:1], labels=one)
    passes = losses.take()
    assert passes.loss == pytest.approx(math.log(VOCABULARY) * 4 / 5)
    assert len(passes.sequences) == 3
    assert losses.take().sequences == []


@pytest.mark.parametrize(
    ("output", "inputs", "reason"),
    [
        ({"loss": torch.tensor(1.5)}, {}, "neither the logits"),
        ({"loss": torch.tensor(1.5), "logits": uniform()}, {"labels": None}, "input_ids and labels"),
        ({"loss": torch.tensor(1.5), "logits": uniform()[:, -1:]}, {}, "neither the logits"),
    ],
)
def test_without_them_there_is_the_models_own_loss_and_a_reason(output: Any, inputs: Any, reason: str) -> None:
    losses, _ = watch(output, **inputs)
    passes = losses.take()
    assert (passes.loss, passes.sequences) == (1.5, [])
    assert reason in losses.reason


def test_an_evaluation_is_not_training_and_nobody_looks_on_after_the_end() -> None:
    losses, model = watch({"logits": uniform()})
    losses.take()
    model.eval()
    model(input_ids=IDS, labels=LABELS)
    model.train()
    with torch.no_grad():
        model(input_ids=IDS, labels=LABELS)
    losses.close()
    model(input_ids=IDS, labels=LABELS)
    assert losses.take().loss is None


def test_whatever_a_model_puts_out_its_pass_goes_on() -> None:
    losses, _ = watch({"logits": torch.zeros(2, 4)}, labels=LABELS)
    assert losses.take().sequences == []
    assert losses.reason


@pytest.mark.parametrize(("limit", "value"), [("HELD_PASSES", 3), ("HELD_TOKENS", 24)])
def test_passes_that_nobody_takes_are_not_held_for_ever(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(forward_losses, limit, value)
    losses, model = watch({"logits": uniform()})
    for _ in range(2):
        model(input_ids=IDS, labels=LABELS)
    assert len(model._forward_hooks) == 1
    assert losses.reason == ""
    model(input_ids=IDS, labels=LABELS)
    assert len(model._forward_hooks) == 0
    assert losses.take().sequences == []
    assert "without an optimizer step" in losses.reason


def test_a_step_of_any_number_of_steps_before_it_may_have_as_many_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_losses, "HELD_PASSES", 1)
    losses, model = watch({"logits": uniform()})
    for _ in range(5):
        assert len(losses.take().sequences) == 2
        model(input_ids=IDS, labels=LABELS)
    assert losses.reason == ""


def test_a_new_one_on_the_same_model_or_around_it_ends_the_older_one() -> None:
    older, model = watch({"logits": uniform()})
    newer = ForwardLosses(torch.nn.Sequential(model))  # as an adapter is put around a model that was trained before
    assert len(model._forward_hooks) == 0
    assert older.take().sequences == []
    newer.close()
