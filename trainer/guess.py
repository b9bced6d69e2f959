"""What the model itself would answer. Knows generation, not what is expected and not what is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from guessbook.trainer.encoding import Encoded, Encoder


@dataclass(frozen=True)
class Guess:
    """`confidence`: the mean probability of the guess's own tokens, the one that ended it included, 0..1."""

    text: str
    confidence: float
    tokens: tuple[int, ...]  # the one that ended it included


class TopProbabilities(LogitsProcessor):
    """Looks on while tokens are generated and keeps the probability of each row's most likely one."""

    def __init__(self) -> None:
        self.columns: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        top = scores.float()
        self.columns.append(torch.exp(top.amax(dim=-1) - top.logsumexp(dim=-1)))
        return scores


class Guesser:
    """Greedy answers in batches."""

    def __init__(self, model: PeftModel | PreTrainedModel, encoder: Encoder) -> None:
        self.model = model
        self.encoder = encoder
        # The one it came with may ask for sampling or penalties, and fills in what a call leaves open.
        model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def guess(self, examples: Sequence[Encoded], limits: Sequence[int]) -> list[Guess]:
        """One guess per example, in order, each of at most its limit of tokens.

        The model must be in eval mode.
        """
        prompts, mask = left_padded([example.prompt for example in examples], self.encoder.pad_id)
        watch = TopProbabilities()
        output = self.model.generate(  # type: ignore[operator]
            input_ids=prompts.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            generation_config=self._greedy(max(limits)),
            logits_processor=LogitsProcessorList([watch]),
        )
        tokens = output[:, prompts.shape[1] :].tolist()
        probabilities = torch.stack(watch.columns, dim=1).tolist()
        return [self._cut(*row) for row in zip(tokens, probabilities, limits, strict=True)]

    def as_guess(self, tokens: list[int], probabilities: list[float]) -> Guess:
        """`tokens`: the guess up to what ended it, with the probability of each."""
        text = cast(str, self.encoder.tokenizer.decode(tokens, skip_special_tokens=True))
        return Guess(text, sum(probabilities) / len(probabilities), tuple(tokens))

    def _cut(self, tokens: list[int], probabilities: list[float], limit: int) -> Guess:
        end = next((i + 1 for i, token in enumerate(tokens) if token in self.encoder.stop_ids), len(tokens))
        return self.as_guess(tokens[: min(end, limit)], probabilities[: min(end, limit)])

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=self.encoder.stop_ids,
            pad_token_id=self.encoder.pad_id,
        )


def left_padded(prompts: Sequence[npt.NDArray[np.int32]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Tokens and attention mask, int64 of shape (batch, longest); each prompt ends where its guess begins."""
    shape = (len(prompts), max(map(len, prompts)))
    tokens = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, -len(prompt) :] = prompt
        mask[row, -len(prompt) :] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)
