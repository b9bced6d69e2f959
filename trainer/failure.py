"""Why a job failed: of which kind it is, and in words for the person who submitted it. Knows errors, not what becomes of the job."""

import errno

import torch
from safetensors import SafetensorError

from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import Failure, JobFailed
from guessbook.store.artifacts import MissingArtifact
from guessbook.trainer.errors import TrainingError

ERROR_LENGTH = 2000
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# torch and safetensors write files below Python: what the disk said is in their text alone, and torch says only that it could not write.
SAID_FULL = (
    "No space left on device",
    "Disk quota exceeded",
    "PytorchStreamWriter failed writing",
    "unexpected pos",
    "iostream error",
)
SAID_NO_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

HINTS = {
    Failure.FAILURE_OUT_OF_MEMORY: "The device's memory is full. Submit it again with a smaller per_device_train_batch_size (raise "
    "gradient_accumulation_steps to make up for it), a smaller max_length, or dtype bfloat16; with auto_find_batch_size it does the first "
    "of these by itself.",
    Failure.FAILURE_DISK_FULL: "The disk with the data folder is full. The last complete checkpoint and everything recorded are kept. Make room "
    "and submit the file again.",
}


def job_failed(error: Exception, step: int) -> JobFailed:
    """What happened, of which kind it is, and what to do next. `step`: the last one that was completed."""
    kind = failure_of(error)
    return JobFailed(error=_message(error)[:ERROR_LENGTH], hint=_hint(error, kind), step=step, failure=kind)


def failure_of(error: BaseException) -> "Failure.ValueType":
    """The kind of an error; also of one that was raised from another: an error in cleaning up must not hide what it came from."""
    if isinstance(error, TrainingError):
        return error.failure
    if is_out_of_memory(error):
        return Failure.FAILURE_OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in FULL:
        return Failure.FAILURE_DISK_FULL
    if isinstance(error, OSError | RuntimeError | SafetensorError) and any(said in str(error) for said in SAID_FULL):
        return Failure.FAILURE_DISK_FULL
    before = error.__cause__ or error.__context__
    return failure_of(before) if before else Failure.FAILURE_OTHER


def is_out_of_memory(error: BaseException) -> bool:
    """On a GPU or on the CPU, where torch raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in SAID_NO_MEMORY)


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, GuessbookError) else f"{type(error).__name__}: {error}"


def _hint(error: Exception, kind: "Failure.ValueType") -> str:
    if isinstance(error, GuessbookError):
        return error.hint
    if isinstance(error, MissingArtifact):
        return "The trainer must share the server's data folder: start it with the same --home. Then submit the file again."
    return HINTS.get(
        kind,
        "The trainer's log has the details. The dataset and all checkpoints are kept; submit the file again to start over.",
    )
