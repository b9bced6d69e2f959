"""Lets a snapshot use the model in the middle of training without leaving a trace. Knows what can be disturbed, not what a snapshot does."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from peft import PeftModel


@contextmanager
def undisturbed(model: PeftModel) -> Iterator[None]:
    """Restores on the way out: the random states of Python, NumPy, torch and CUDA, train or eval mode of every module,
    and the use of the key-value cache. Inside, the model is in eval mode.

    The tokenizer isn't touched by a snapshot at all: prompts are padded on the left by hand.
    """
    python, numpy = random.getstate(), np.random.get_state()
    modes = [(module, module.training) for module in model.modules()]
    use_cache = model.config.use_cache
    devices = list(range(torch.cuda.device_count()))
    model.train(mode=False)
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for module, training in modes:
            module.training = training
        model.config.use_cache = use_cache
