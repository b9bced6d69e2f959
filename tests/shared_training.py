"""A program that torchrun starts in several processes: TRL's trainer on sums, without dropout, with the callback.

shared_training.py MODEL FOLDER HOME per_device_train_batch_size=3 max_steps=6 …
"""

import sys
from pathlib import Path
from typing import Any

import torch
from sft import sft

from guessbook.trainer import GuessbookCallback

if __name__ == "__main__":
    model, folder, home = map(Path, sys.argv[1:4])
    arguments: dict[str, Any] = {name: int(value) for name, _, value in (word.partition("=") for word in sys.argv[4:])}
    torch.set_num_threads(1)
    trainer = sft(model, folder, [GuessbookCallback(home=home)], **arguments)
    for module in trainer.model.modules():  # type: ignore[union-attr]
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # chance differs from process to process
    trainer.train()
