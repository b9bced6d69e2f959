"""Whether a merged model is base and adapter, and not the base alone: the same logits within a tolerance, the same guesses.

Knows models and tokens; doesn't know how the merge was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor

from guessbook.trainer.encoding import Encoded, Encoder

TOKENS = 32  # of each expected answer, and of each guess: their logits over the whole vocabulary are kept


@dataclass(frozen=True)
class Guessed:
    """Greedy tokens, and by how much each was ahead of the next best one."""

    tokens: tuple[int, ...]
    lead: tuple[float, ...]


@dataclass(frozen=True)
class Probe:
    """What one model says of some examples: logits over the expected tokens, float32 of shape (tokens, vocabulary) each, and guesses."""

    logits: list[Tensor]
    guesses: list[Guessed]


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
def probe(model: torch.nn.Module, encoder: Encoder, examples: Sequence[Encoded], *, guesses: bool = True) -> Probe:
    """One example at a time, without padding, so that nothing but the weights makes a difference. The model must be in eval mode."""
    device = next(model.parameters()).device
    logits, guessed = [], []
    for example in examples:
        ids = torch.from_numpy(example.input_ids).long()[None].to(device)
        start = example.prompt_length - 1
        output = model(input_ids=ids, use_cache=False).logits[0]
        logits.append(output[start : start + TOKENS].float().cpu())
        if guesses:
            guessed.append(_guess(model, encoder, ids[:, : example.prompt_length]))
    return Probe(logits, guessed)


def _guess(model: torch.nn.Module, encoder: Encoder, prompt: Tensor) -> Guessed:
    """Decoded by hand: greedy, with the cache, and with the lead of each token."""
    tokens: list[int] = []
    lead: list[float] = []
    cache, given = None, prompt
    while len(tokens) < TOKENS:
        output = model(input_ids=given, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        first, second = output.logits[0, -1].float().topk(2).values.tolist()
        tokens.append(int(output.logits[0, -1].argmax()))
        lead.append(first - second)
        if tokens[-1] in encoder.stop_ids:
            break
        given = torch.tensor([[tokens[-1]]], device=prompt.device)
    return Guessed(tuple(tokens), tuple(lead))


def prove(base: Probe, adapted: Probe, merged: Probe, tolerance: float) -> Proof:
    """`adapted`: base with adapter. `base` needs no guesses."""
    same = sum(_same(*pair, tolerance) for pair in zip(adapted.guesses, merged.guesses, strict=True))
    return Proof(
        examples=len(adapted.logits),
        max_logit_difference=_difference(adapted, merged),
        tolerance=tolerance,
        same_guesses=same,
        difference_from_base=_difference(base, merged),
        adapter_effect=_difference(base, adapted),
    )


def _difference(one: Probe, other: Probe) -> float:
    """NaN where either has one: then nothing is proved."""
    largest = torch.stack([(a - b).abs().max() for a, b in zip(one.logits, other.logits, strict=True)])
    return float("nan") if largest.isnan().any() else float(largest.max())


def _same(one: Guessed, other: Guessed, tolerance: float) -> bool:
    for a, b, lead in zip_longest(one.tokens, other.tokens, one.lead):
        if a != b:
            return lead is not None and lead <= 2 * tolerance
    return True
