"""Lets a snapshot use the model in the middle of training without leaving a trace. Knows what can be disturbed, not what a snapshot does."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn import Module
from transformers import GenerationConfig


@contextmanager
def undisturbed(model: Module) -> Iterator[None]:
    """Restores on the way out: the random states of Python, NumPy, torch and CUDA, train or eval mode of every module, the use of
    the key-value cache and the settings of generation. Inside, the model is in eval mode and generation has no settings.

    The tokenizer isn't touched by a snapshot at all: prompts are padded on the left by hand.
    """
    python, numpy = random.getstate(), np.random.get_state()
    modes = [(module, module.training) for module in model.modules()]
    config: Any = model.config
    use_cache = config.use_cache
    generation = [
        (module, module.generation_config) for module in model.modules() if "generation_config" in vars(module)
    ]
    devices = list(range(torch.cuda.device_count()))
    model.train(mode=False)
    for module, _ in generation:
        # What it came with may ask for sampling or penalties.
        vars(module)["generation_config"] = GenerationConfig()  # type: ignore[no-untyped-call]
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for module, training in modes:
            module.training = training
        config.use_cache = use_cache
        for module in model.modules():
            vars(module).pop("generation_config", None)  # an adapter's model is given one of its own when it generates
        for module, before in generation:
            vars(module)["generation_config"] = before
