"""Why a job failed, in words for the person who submitted it."""

import torch

from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import JobFailed
from guessbook.store.artifacts import MissingArtifact

ERROR_LENGTH = 2000


def job_failed(error: Exception, step: int) -> JobFailed:
    """What happened and what to do next. `step`: the last one that was completed."""
    return JobFailed(error=_message(error)[:ERROR_LENGTH], hint=_hint(error), step=step)


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, GuessbookError) else f"{type(error).__name__}: {error}"


def _hint(error: Exception) -> str:
    if isinstance(error, GuessbookError):
        return error.hint
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "The GPU's memory is full. Submit it again with a smaller per_device_train_batch_size (raise "
            "gradient_accumulation_steps to make up for it), a smaller max_length, or dtype bfloat16."
        )
    if isinstance(error, MissingArtifact):
        return "The trainer must share the server's data folder: start it with the same --home. Then submit the file again."
    return "The trainer's log has the details. The dataset and all checkpoints are kept; submit the file again to start over."
