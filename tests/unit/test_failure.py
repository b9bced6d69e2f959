import torch

from guessbook.trainer.errors import UnusableModel
from guessbook.trainer.failure import ERROR_LENGTH, job_failed


def test_our_own_errors_bring_their_hint() -> None:
    failed = job_failed(UnusableModel("there is no model at /x", "Check base_model."), 0)
    assert (failed.error, failed.hint) == ("there is no model at /x", "Check base_model.")


def test_a_full_gpu_is_told_with_the_settings_that_help() -> None:
    failed = job_failed(torch.OutOfMemoryError("CUDA out of memory"), 12)
    assert failed.step == 12
    assert "per_device_train_batch_size" in failed.hint


def test_any_other_error_keeps_its_kind_and_stays_short() -> None:
    failed = job_failed(ValueError("x" * 10_000), 3)
    assert failed.error.startswith("ValueError: xxx")
    assert len(failed.error) == ERROR_LENGTH
    assert failed.hint
