"""Whether a merged model is base and adapter, and not the base alone: the same logits within a tolerance, the same guesses.

Knows models and tokens; doesn't know how the merge was made.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from guessbook.trainer.encoding import Encoded

TOKENS = 8  # of each guess: their logits over the whole vocabulary are kept

Guess = tuple[int, ...]


@dataclass(frozen=True)
class Probe:
    """What one model says at each token of what base and adapter guess: logits, float32 of shape (tokens, vocabulary) each.

    A model whose greedy guess this is too has its arg max there.
    """

    guessed: list[Tensor]


@dataclass(frozen=True)
class Proof:
    examples: int
    max_logit_difference: float
    tolerance: float
    same_guesses: int  # where two differ at a token whose lead is within the tolerance, neither is wrong
    difference_from_base: float
    adapter_effect: float  # the largest logit difference between base and base with adapter

    @property
    def problem(self) -> str:
        """What speaks against the merge; empty: nothing."""
        if not self.max_logit_difference <= self.tolerance:  # also where it is no number
            return f"logits differ by up to {self.max_logit_difference:.4g}; {self.tolerance:.2g} is allowed"
        if self.same_guesses < self.examples:
            return f"only {self.same_guesses} of {self.examples} guesses are the same"
        if self.adapter_effect > self.tolerance and not self.difference_from_base > self.tolerance:
            return "it says what the base says without the adapter"
        return ""


@torch.no_grad()
def probe(model: PeftModel | PreTrainedModel, examples: Sequence[Encoded], guesses: Sequence[Guess]) -> Probe:
    """One example at a time, without padding, so that nothing but the weights makes a difference. The model must be in eval mode."""
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    cuts = "logits_to_keep" in inspect.signature(base.forward).parameters
    return Probe([_logits(model, one.prompt, guess, cuts) for one, guess in zip(examples, guesses, strict=True)])


def _logits(model: PeftModel | PreTrainedModel, prompt: NDArray[np.int32], guess: Guess, cuts: bool) -> Tensor:
    """`cuts`: the model can leave out the logits that nobody looks at, those within the prompt."""
    ids = torch.from_numpy(np.concatenate([prompt, np.array(guess)])).long()[None].to(model.device)
    keep = {"logits_to_keep": len(guess) + 1} if cuts else {}
    output: Tensor = model(input_ids=ids, use_cache=False, **keep).logits[0]
    return output[-len(guess) - 1 : -1].float().cpu()


def prove(base: Probe, adapted: Probe, merged: Probe, tolerance: float) -> Proof:
    """`adapted`: base with adapter."""
    pairs = zip(adapted.guessed, merged.guessed, strict=True)
    return Proof(
        examples=len(adapted.guessed),
        max_logit_difference=_difference(adapted.guessed, merged.guessed),
        tolerance=tolerance,
        same_guesses=sum(_same(one, other, tolerance) for one, other in pairs),
        difference_from_base=_difference(base.guessed, merged.guessed),
        adapter_effect=_difference(base.guessed, adapted.guessed),
    )


def _difference(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """NaN where either has one: then nothing is proved."""
    largest = torch.stack([(a - b).abs().max() for a, b in zip(one, other, strict=True)])
    return float("nan") if largest.isnan().any() else float(largest.max())


def _same(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether both choose the same token at each place, but where the best two are so close that the tolerance decides."""
    best = one.topk(2, dim=-1).values
    decided = best[:, 0] - best[:, 1] > 2 * tolerance
    return bool((one.argmax(dim=-1) == other.argmax(dim=-1))[decided].all())
