import errno

import pytest
import torch
from safetensors import SafetensorError

from guessbook.clients.errors import SpoolFull
from guessbook.proto.events_pb2 import Failure
from guessbook.trainer.errors import NotFinite, ProcessFull, UnusableExample, UnusableModel, UnusableSetting
from guessbook.trainer.failure import ERROR_LENGTH, failure_of, job_failed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnusableExample("no example", ""), Failure.FAILURE_BAD_DATA),
        (UnusableModel("no model", ""), Failure.FAILURE_BAD_CONFIG),
        (UnusableSetting("no such module", ""), Failure.FAILURE_BAD_CONFIG),
        (NotFinite("nan", ""), Failure.FAILURE_NOT_FINITE),
        (ProcessFull("process 1 of 2 ran out of memory", ""), Failure.FAILURE_OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory"), Failure.FAILURE_OUT_OF_MEMORY),
        (MemoryError(), Failure.FAILURE_OUT_OF_MEMORY),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried …"
            ),
            Failure.FAILURE_OUT_OF_MEMORY,
        ),
        (OSError(errno.ENOSPC, "No space left on device"), Failure.FAILURE_DISK_FULL),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            Failure.FAILURE_DISK_FULL,
        ),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), Failure.FAILURE_DISK_FULL),
        (RuntimeError("basic_ios::clear: iostream error"), Failure.FAILURE_DISK_FULL),
        (OSError(errno.ENOENT, "No such file"), Failure.FAILURE_OTHER),
        (SpoolFull("1 GB waits"), Failure.FAILURE_OTHER),
        (ValueError("something else"), Failure.FAILURE_OTHER),
    ],
)
def test_each_kind_is_told_from_the_others(error: Exception, kind: "Failure.ValueType") -> None:
    failed = job_failed(error, 3)
    assert (failed.failure, failed.step) == (kind, 3)


def test_an_error_in_cleaning_up_does_not_hide_what_it_came_from() -> None:
    error = ValueError("could not close the file")
    error.__context__ = OSError(errno.ENOSPC, "No space left on device")
    assert failure_of(error) == Failure.FAILURE_DISK_FULL


def test_our_own_errors_bring_their_hint() -> None:
    failed = job_failed(UnusableModel("there is no model at /x", "Check base_model."), 0)
    assert (failed.error, failed.hint) == ("there is no model at /x", "Check base_model.")


def test_a_full_gpu_is_told_with_the_settings_that_help() -> None:
    failed = job_failed(torch.OutOfMemoryError("CUDA out of memory"), 12)
    assert failed.step == 12
    assert "per_device_train_batch_size" in failed.hint
    assert "auto_find_batch_size" in failed.hint


def test_any_other_error_keeps_its_kind_and_stays_short() -> None:
    failed = job_failed(ValueError("x" * 10_000), 3)
    assert failed.error.startswith("ValueError: xxx")
    assert len(failed.error) == ERROR_LENGTH
    assert failed.hint
