"""Examples as tokens. Knows the tokenizer and its chat template, not the model and not how it is trained.

Training and guessing both use what is made here, so the border between prompt and answer is the same in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import jinja2
import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from guessbook.store.dataset import Example
from guessbook.trainer.errors import UnusableExample, UnusableModel

IGNORED = -100  # the label of a token that is not trained, as in torch.nn.functional.cross_entropy

TEMPLATE_ERRORS = (jinja2.TemplateError, TypeError)  # TypeError: of an expression in it, `'a' + 1`


@dataclass(frozen=True)
class Encoded:
    """One example: the prompt's tokens, then the answer's."""

    index: int
    input_ids: npt.NDArray[np.int32]
    prompt_length: int
    truncated: bool
    answer_cut: bool = False  # of an example with a prompt: no guess that was learned from this can be right

    @property
    def prompt(self) -> npt.NDArray[np.int32]:
        return self.input_ids[: self.prompt_length]

    @property
    def answer_length(self) -> int:
        return len(self.input_ids) - self.prompt_length


class Encoder:
    """Turns examples into tokens. Raises UnusableModel if the tokenizer has no EOS or a chat template that is broken.

    `max_length` is the most tokens of one example; the rest is cut. `stop_ids` are the tokens that end an answer, the one that
    answers are trained to end with first. `pad_id` fills up what is shorter than its batch.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        if tokenizer.eos_token_id is None:
            raise UnusableModel(
                f"the tokenizer {tokenizer.name_or_path} has no EOS token, so an answer has no end",
                "Set eos_token in its tokenizer_config.json.",
            )
        self.tokenizer = tokenizer
        self.max_length = max_length
        self._eos: int = tokenizer.eos_token_id
        self._end_of_turn = self._closing() if tokenizer.chat_template else self._eos
        self.pad_id: int = self._eos if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.stop_ids = list(dict.fromkeys([self._end_of_turn, self._eos]))

    def encode(self, example: Example) -> Encoded:
        """Raises UnusableExample if the chat template refuses the example's turns."""
        prompt, end = self._prompt(example)
        answer = [*self._plain(example.expected), end]
        if not prompt:
            # A causal model predicts from something: the first token of a text without a prompt is given, not guessed.
            prompt, answer = answer[:1], answer[1:]
        whole_prompt, whole_answer = len(prompt), len(answer)
        prompt = prompt[-max(self.max_length - 1, 1) :]
        answer = answer[: max(self.max_length - len(prompt), 1)]
        return Encoded(
            example.index,
            np.array(prompt + answer, dtype=np.int32),
            len(prompt),
            truncated=len(prompt) + len(answer) < whole_prompt + whole_answer,
            answer_cut=len(answer) < whole_answer and bool(example.prompt or example.turns),
        )

    def _prompt(self, example: Example) -> tuple[list[int], int]:
        """The prompt's tokens, and the token that ends the answer."""
        if not example.turns:
            return self._raw(example.prompt), self._eos
        if not self.tokenizer.chat_template:
            return self._raw(example.prompt + "\n"), self._eos
        turns = [{"role": turn.role, "content": turn.content} for turn in example.turns]
        try:
            ids = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        except TEMPLATE_ERRORS as error:
            raise UnusableExample(
                f"the model's chat template refuses example {example.index} ({example.id}): {error}",
                "Change or remove that record (some models allow no system turn), or take another base model.",
            ) from error
        return cast(list[int], ids), self._end_of_turn

    def _closing(self) -> int:
        try:
            return _end_of_turn(self.tokenizer)
        except TEMPLATE_ERRORS as error:
            raise UnusableModel(
                f"the chat template of {self.tokenizer.name_or_path} can't render a question and its answer: {error}",
                "Mend it, in the model's chat_template.jinja or tokenizer_config.json, or take another base model.",
            ) from error

    def _raw(self, text: str) -> list[int]:
        """Text at the start of a sequence: with the BOS token, where the tokenizer has one, without its EOS."""
        ids: list[int] = self.tokenizer(text).input_ids
        return ids[:-1] if ids and ids[-1] == self._eos else ids

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token the chat template closes an assistant's turn with; not every tokenizer's EOS is that token."""
    answer = "answer"
    chat = [{"role": "user", "content": "question"}, {"role": "assistant", "content": answer}]
    closing = cast(str, tokenizer.apply_chat_template(chat, tokenize=False)).rpartition(answer)[2]
    ids: list[int] = tokenizer(closing, add_special_tokens=False).input_ids
    added = tokenizer.added_tokens_decoder
    eos: int = tokenizer.eos_token_id
    return next((token for token in ids if token in added), eos)


class Collator:
    """A batch of encoded examples as tensors, padded on the right to the longest of them.

    input_ids, attention_mask, labels: int64 of shape (batch, length); index: int64 of shape (batch,). Labels are IGNORED on the
    prompt and the padding.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, examples: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        shape = (len(examples), max(len(example.input_ids) for example in examples))
        input_ids = np.full(shape, self.pad_id, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        labels = np.full(shape, IGNORED, dtype=np.int64)
        for row, example in enumerate(examples):
            length = len(example.input_ids)
            input_ids[row, :length] = example.input_ids
            attention_mask[row, :length] = 1
            labels[row, example.prompt_length : length] = example.input_ids[example.prompt_length :]
        return {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(attention_mask),
            "labels": torch.from_numpy(labels),
            "index": torch.tensor([example.index for example in examples]),
        }
