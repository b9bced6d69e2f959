"""What a version's metadata.json says: the same in the data folder, in an export and in a backup. Knows the folds."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from guessbook.projections.book import Book
from guessbook.proto.history_pb2 import Version


def metadata_text(book: Book, version: Version) -> str:
    """The file, as it is written."""
    return json.dumps(metadata(book, version), indent=2) + "\n"


def metadata(book: Book, version: Version) -> dict[str, Any]:
    """What metadata.json says. Numbers are as the log has them; accuracies are null where no snapshot was taken."""
    dataset = book.datasets.by_sha256.get(version.dataset)
    run = book.runs.by_id.get(version.run)
    config = run.run.config if run else None
    baseline = version.baseline_accuracy if version.baseline_accuracy >= 0 else None
    final = version.final_accuracy if version.final_accuracy >= 0 else None
    improved = final - baseline if final is not None and baseline is not None else None
    return {
        "version": version.name,
        "created": datetime.fromtimestamp(version.created_at_us / 1e6, tz=UTC).isoformat(),
        "parent_version": version.parent or None,
        "base_model": version.base_model,
        "base_model_sha256": version.base_model_sha256 or None,
        "training_data": {
            "file": dataset.name if dataset else None,
            "examples": dataset.count if dataset else None,
            "md5": dataset.md5 if dataset else None,
            "sha256": version.dataset,
        },
        "training_config": {
            "learning_rate": config.learning_rate if config else None,
            "lora_r": config.lora_r if config else None,
            "steps": version.steps,
            "final_loss": _rounded(version.final_loss if math.isfinite(version.final_loss) else None),
        },
        "performance": {
            "baseline_accuracy": _rounded(baseline),
            "final_accuracy": _rounded(final),
            "improvement": _rounded(improved),
        },
        "evolution_data": f"run/{version.run}",
        "notes": version.notes,
        "consolidation": _consolidation(version),
        "consolidated_into": book.versions.consolidated_into(version.name) or None,
    }


def _consolidation(version: Version) -> dict[str, Any] | None:
    """The proof of a merged model; null for an adapter."""
    if not version.HasField("consolidation"):
        return None
    proof = version.consolidation
    return {
        "version": proof.version,
        "precision": proof.precision,
        "examples": proof.examples,
        "max_logit_difference": proof.max_logit_difference,
        "tolerance": proof.tolerance,
        "same_guesses": proof.same_guesses,
        "difference_from_base": proof.difference_from_base,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
