"""A program that trains three steps and says how much memory that took at most, beyond what was there before the model was loaded.

    python peak_memory.py FOLDER BATCH TOKENS DTYPE

prints {"peak": bytes, "estimate": bytes}; `measured` runs it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from transformers import AutoConfig

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.server.decide.config import complete
from guessbook.store.dataset import Example
from guessbook.trainer.base_model import load_base_model
from guessbook.trainer.encoding import Encoder
from guessbook.trainer.memory_estimate import estimate
from guessbook.trainer.training import ExampleLossTrainer, add_adapter, training_arguments

STEPS = 3


def measured(folder: Path, batch: int, tokens: int, dtype: str) -> tuple[float, float]:
    """The peak and the estimate, in bytes, of this program in a process of its own.

    Its allocator is told to give back what is freed: what it wastes is not the model's.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(folder), str(batch), str(tokens), dtype],
        check=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return told["peak"], told["estimate"]


def resident_bytes(row: str) -> int:
    """VmRSS: now; VmHWM: at most, of this program alone (what getrusage tells begins with what its parent had)."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(rows[row].split()[0]) * 1024


def main() -> None:
    folder, (batch, tokens), dtype = sys.argv[1], map(int, sys.argv[2:4]), sys.argv[4]
    asked = TrainingConfig(base_model=folder, per_device_train_batch_size=batch, max_length=tokens, dtype=dtype)
    config = complete(asked, folder)
    told = estimate(config, AutoConfig.from_pretrained(folder), tokens)
    before = resident_bytes("VmRSS")
    with tempfile.TemporaryDirectory() as place:
        base = load_base_model(folder, dtype, Path(place))
        encoder = Encoder(base.tokenizer, tokens)
        text = "word " * tokens
        examples = [encoder.encode(Example(i, str(i), prompt="", expected=text)) for i in range(batch * STEPS)]
        arguments = training_arguments(config, STEPS, Path(place) / "run")
        ExampleLossTrainer(add_adapter(base.model, config), arguments, examples, encoder.pad_id).train()
    peak = resident_bytes("VmHWM") - before
    print(json.dumps({"peak": peak, "estimate": told.total}))


if __name__ == "__main__":
    main()
