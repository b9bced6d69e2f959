"""Observations as the training dynamics that Dataset Cartography reads (Swayamdipta et al. 2020, github.com/allenai/cartography).

It knows classification: logits over classes at the end of each epoch. A generated answer has no classes, so there are two: 0 is the expected answer,
1 is any other. Their logits are the logarithms of the expected answer's probability (per token, the geometric mean) and of the rest, so that its softmax
gives that probability back: its confidence and variability are those of the book. Knows no server.
"""

import json
import math
from pathlib import Path

from guessbook.clients.export.source import Source

FOLDER = "training_dynamics"  # the name that it looks for; nothing else may lie there, since it counts the files
GOLD = 0
SMALLEST = 1e-12  # a probability of 0 or 1 has no finite logit


def write(source: Source, folder: Path) -> int:
    """Writes `dynamics_epoch_N.jsonl` for the N-th whole snapshot, from 0 on; returns the number of observations."""
    count = 0
    for epoch, (snapshot, observations) in enumerate(source.snapshots()):
        with (folder / f"dynamics_epoch_{epoch}.jsonl").open("w", encoding="utf-8") as file:
            for seen in observations:
                logits = list(two_logits(seen.observation.expected_probability))
                # It reads the first three; the others say what was made two classes of.
                line = {"guid": seen.texts.id, f"logits_epoch_{epoch}": logits, "gold": GOLD}
                more = {"step": snapshot.step, "correct": seen.observation.correct}
                file.write(json.dumps({**line, **more}, ensure_ascii=False) + "\n")
                count += 1
    return count


def two_logits(probability: float) -> tuple[float, float]:
    """Logits of "the expected answer" and "any other", whose softmax is `probability` and the rest."""
    inside = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(inside), math.log1p(-inside)
