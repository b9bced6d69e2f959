"""A model's forward pass over rows of different lengths, with a cache. Knows padding, masks and positions, not what the tokens are for."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from guessbook.trainer.row_cache import RowCache

TRIED = 40  # tokens of the longest row that is tried out
Tokens = Sequence[int] | npt.NDArray[np.int32]


class Forward:
    """The model must be in eval mode whenever it is used. `window`: the most columns it can look back over, if there is a limit."""

    def __init__(self, model: PeftModel | PreTrainedModel, pad_id: int) -> None:
        self._model = model
        self._pad_id = pad_id
        base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self._config = base.config
        self._takes = inspect.signature(base.forward).parameters
        self.device: torch.device = model.device
        self.vocabulary: int = base.get_output_embeddings().weight.shape[0]
        layers = DynamicCache(config=self._config).layers
        self._unlike = {type(layer).__name__ for layer in layers} - {
            DynamicLayer.__name__,
            DynamicSlidingWindowLayer.__name__,
        }
        self.window = min(
            (layer.sliding_window for layer in layers if isinstance(layer, DynamicSlidingWindowLayer)), default=None
        )

    def read(self, rows: Sequence[Tokens], begins: Sequence[int]) -> tuple[Tensor, RowCache]:
        """Reads whole rows. Gives the logits at the places from `begins` on, (places, vocabulary), row by row, and what is cached.

        Rows are padded behind their end, where nothing that counts looks at it: so no mask is needed, and attention is faster without.
        """
        tokens = self._padded(rows)
        wanted = np.zeros(tokens.shape, dtype=bool)
        for row, (ids, begin) in enumerate(zip(rows, begins, strict=True)):
            wanted[row, begin : len(ids)] = True
        positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
        cache = RowCache()
        return self._run(tokens, np.ones(tokens.shape, dtype=np.int64), positions, wanted, cache), cache

    def feed(self, rows: Sequence[Tokens], lengths: Sequence[int], cache: RowCache) -> Tensor:
        """Goes on with rows of which the first `lengths` columns are in the cache. Gives the logits at each new token, row by row."""
        tokens = self._padded(rows)
        width, columns = tokens.shape[1], cache.get_seq_length()
        ends = np.array(lengths)[:, None]
        wanted = np.arange(width) < np.array([len(ids) for ids in rows])[:, None]
        mask = np.concatenate([np.arange(columns) < ends, wanted], axis=1).astype(np.int64)
        # Padding gets the last real position: models with a table of positions have no more than they need.
        positions = ends + np.minimum(np.arange(width), wanted.sum(axis=1, keepdims=True) - 1)
        logits = self._run(tokens, mask, positions, wanted, cache)
        return logits

    def obstacle(self) -> str:
        """Why rows can't go on from a cache with masked columns in this model; empty if they can. Tried out, not looked up.

        Two made-up rows are read, their ends are dropped, and they go on. Each must give what it gives when it is read alone and whole.
        """
        if self._unlike:
            return f"its cache is not of keys and values alone ({', '.join(sorted(self._unlike))})"
        if self.window is not None and self.window < TRIED:
            return f"its attention looks back over {self.window} tokens only"
        row = [(7 + 31 * place) % self.vocabulary for place in range(TRIED)]
        rows, lengths, ends = [row, row[3:]], [16, 9], [24, 12]
        try:
            _, cache = self.read(rows, [TRIED - 1, TRIED - 4])
            cache = cache.select(torch.arange(2, device=self.device), max(lengths))
            fed = [ids[length:end] for ids, length, end in zip(rows, lengths, ends, strict=True)]
            resumed = self.feed(fed, lengths, cache).float()
            whole = torch.cat(
                [self._alone(ids[:end])[length:] for ids, length, end in zip(rows, lengths, ends, strict=True)]
            )
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  any model may come, and may refuse in its own way; generate takes them all
            return f"its forward pass can't be resumed: {type(error).__name__}: {error}"
        # Rounding gives about the square root of a number format's precision at worst; a wrong mask or position far more.
        allowed = float(whole.std()) * torch.finfo(self._model.dtype).eps ** 0.5
        off = float((resumed - whole).abs().max())
        return "" if off <= allowed else f"with tokens masked it gives something else (logits differ by {off:.2g})"

    def _alone(self, ids: Sequence[int]) -> Tensor:
        logits: Tensor = self._model(input_ids=torch.tensor([ids], device=self.device), use_cache=False).logits
        return logits[0].float()

    def _run(
        self,
        tokens: npt.NDArray[np.int64],
        mask: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        wanted: npt.NDArray[np.bool_],
        cache: RowCache,
    ) -> Tensor:
        places = self._tensor(wanted)
        inputs = {"input_ids": self._tensor(tokens), "attention_mask": self._tensor(mask), "past_key_values": cache}
        if "position_ids" in self._takes:
            inputs["position_ids"] = self._tensor(positions)
        if "logits_to_keep" in self._takes:
            inputs["logits_to_keep"] = places  # a prompt's logits are never looked at
        logits: Tensor = self._model(**inputs, use_cache=True).logits
        return logits if logits.dim() == 2 else logits[places]

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self.device)

    def _padded(self, rows: Sequence[Tokens]) -> npt.NDArray[np.int64]:
        padded = np.full((len(rows), max(map(len, rows))), self._pad_id, dtype=np.int64)
        for row, ids in enumerate(rows):
            padded[row, : len(ids)] = ids
        return padded
