"""The device the trainer computes on. Knows torch's devices only."""

import gc

import torch


def device_name() -> str:
    """As a person reads it: "cpu" or "cuda:0 NVIDIA H100"."""
    return f"cuda:0 {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "cpu"


def release_memory() -> None:
    """Gives memory that nothing refers to any more back to the device, so that the next model finds it free."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
