"""Each example's own loss in somebody else's training, out of the forward passes that train. Knows a model's inputs and outputs, not the trainer and not examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from guessbook.trainer.losses import trained_positions

CHUNK = 256  # trained tokens whose logits are widened to float32 at a time, so that this needs little memory
# What may be held of passes of which nobody takes the losses: those of a training that an exception ended, or that is over.
HELD_PASSES = 4096
HELD_TOKENS = 2**23  # with padding; about 200 MB


@dataclass
class Passes:
    """What the forward passes of one optimizer step told.

    `loss`: mean over their trained tokens, in nats; else the mean of what the model itself called its loss; None: neither was told.
    `sequences`: the tokens of each one that was trained, without padding, and its mean loss.
    """

    loss: float | None = None
    trained: int = 0  # tokens that the loss is the mean of; 0: not known
    tokens: int = 0  # that went through the model, without padding
    sequences: list[tuple[npt.NDArray[np.int32], float]] = field(default_factory=list)

    @classmethod
    def merged(cls, parts: Sequence["Passes"]) -> "Passes":
        """Those of several processes as if one had made them all. Without the numbers of trained tokens the losses count alike."""
        told = [part for part in parts if part.loss is not None]
        weights = [part.trained or 1 for part in told]
        loss = sum(weight * (part.loss or 0.0) for weight, part in zip(weights, told, strict=True))
        return cls(
            loss / sum(weights) if told else None,
            sum(part.trained for part in parts),
            sum(part.tokens for part in parts),
            [one for part in parts for one in part.sequences],
        )


@dataclass(frozen=True)
class _Pass:
    """Tensors of shape (batch, length), `nll` (batch, length - 1): of the next token, 0 where it is not trained."""

    input_ids: Tensor
    mask: Tensor | None
    position_ids: Tensor | None
    labels: Tensor
    nll: Tensor


class ForwardLosses:
    """Looks on at a model's forward passes in train mode; nothing that they compute is changed.

    Only one does at a time: it ends an older one on the same model. Passes that nobody takes are dropped when they are too many, and it looks on no more.
    `reason`: why there are no losses of single examples, as soon as that is known.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.reason = ""
        self._passes: list[_Pass] = []
        self._losses: list[Tensor] = []
        self._held_passes = self._held_tokens = 0
        for module in model.modules():
            if older := _looking.pop(module, None):
                older.close()
        _looking[model] = self
        self._handle = model.register_forward_hook(self._look, with_kwargs=True)

    def close(self) -> None:
        """Looks on no more, and holds nothing. Closing twice is harmless."""
        self._handle.remove()
        self._drop()

    def take(self) -> Passes:
        """Of the passes since the last call. Waits for the device, so it is called once a step."""
        done = Passes()
        if self._passes:
            trained = sum(int(trained_positions(one.labels).sum()) for one in self._passes)
            total = sum(float(one.nll.sum()) for one in self._passes)
            done.loss, done.trained = total / trained if trained else None, trained
        elif self._losses:
            done.loss = float(torch.stack(self._losses).mean())
        for one in self._passes:
            for tokens, loss in _sequences(one):
                done.tokens += len(tokens)
                if loss is not None:
                    done.sequences.append((tokens, loss))
        self._drop()
        return done

    def _drop(self) -> None:
        self._passes.clear()
        self._losses.clear()
        self._held_passes = self._held_tokens = 0

    def _look(self, module: torch.nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        if not module.training or not torch.is_grad_enabled():
            return  # an evaluation, or a snapshot
        try:
            self._keep(kwargs, output)
            self._bound(kwargs.get("input_ids"))
        except Exception as error:  # noqa: BLE001  whoever looks on must not stop what is looked at
            self.reason = f"{type(error).__name__}: {error}"

    def _bound(self, input_ids: Any) -> None:
        self._held_passes += 1
        self._held_tokens += input_ids.numel() if isinstance(input_ids, Tensor) else 0
        if self._held_passes > HELD_PASSES or self._held_tokens > HELD_TOKENS:
            self.reason = f"{self._held_passes:,} forward passes went by without an optimizer step, too many to hold"
            self.close()

    @torch.no_grad()
    def _keep(self, inputs: Mapping[str, Any], output: Any) -> None:
        told = output if isinstance(output, Mapping) else {}
        input_ids, labels = inputs.get("input_ids"), inputs.get("labels")
        if isinstance(told.get("loss"), Tensor):
            self._losses.append(told["loss"].detach())
        if not isinstance(input_ids, Tensor) or not isinstance(labels, Tensor):
            self.reason = "the model isn't called with input_ids and labels"
            return
        nll = _next_token_losses(told, labels)
        if nll is None:
            self.reason = "the model's output has neither the logits nor the log-probabilities of the tokens"
            return
        self._passes.append(
            _Pass(input_ids, inputs.get("attention_mask"), inputs.get("position_ids"), labels, nll.detach())
        )


_looking: "WeakKeyDictionary[torch.nn.Module, ForwardLosses]" = WeakKeyDictionary()


def _next_token_losses(output: Mapping[str, Any], labels: Tensor) -> Tensor | None:
    """As `_Pass.nll`; None where the output doesn't tell."""
    trained = trained_positions(labels)
    log_probs, logits = output.get("log_probs"), output.get("logits")
    if isinstance(log_probs, Tensor) and log_probs.shape == trained.shape:  # TRL's fused head
        return -log_probs.float() * trained
    if not isinstance(logits, Tensor) or logits.shape[:2] != labels.shape:
        return None
    nll = torch.zeros(trained.shape, dtype=torch.float32, device=logits.device)
    for places in torch.split(trained.nonzero(), CHUNK):
        rows, columns = places.unbind(dim=1)
        nll[rows, columns] = cross_entropy(logits[rows, columns].float(), labels[rows, columns + 1], reduction="none")
    return nll


def _sequences(one: _Pass) -> Iterator[tuple[npt.NDArray[np.int32], float | None]]:
    """Each sequence's tokens without padding, and its mean loss, None if nothing of it was trained."""
    tokens = one.input_ids.cpu().numpy().astype(np.int32)
    losses = one.nll.cpu().numpy()
    trained = trained_positions(one.labels).cpu().numpy()
    shown = None if one.mask is None or one.mask.shape != one.input_ids.shape else one.mask.cpu().numpy() == 1
    places = None if one.position_ids is None else one.position_ids.cpu().numpy()
    for row in range(len(tokens)):
        starts = [0, len(tokens[row])]
        if shown is None and places is not None:  # sequences one behind the other, each counted from 0
            starts = [*np.flatnonzero(places[row] == 0).tolist(), len(tokens[row])]
        for start, end in pairwise(starts):
            own = trained[row, start : end - 1]
            loss = float(losses[row, start : end - 1][own].mean()) if own.any() else None
            part = tokens[row, start:end]
            yield (part if shown is None else part[shown[row, start:end]]), loss
