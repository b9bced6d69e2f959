"""The devices the trainer computes on. Knows torch's devices only."""

import gc
import os

import torch

from guessbook.proto.events_pb2 import Device


def device_name() -> str:
    """As a person reads it: "cpu" or "cuda:0 NVIDIA H100"."""
    return f"cuda:0 {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "cpu"


def devices() -> list[Device]:
    """What a trainer can offer to jobs, and how much memory each has in all: its GPUs, as CUDA_VISIBLE_DEVICES leaves them, else the machine's CPU."""
    if torch.cuda.is_available():
        properties = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
        return [Device(name=one.name, memory_bytes=one.total_memory) for one in properties]
    return [Device(name="cpu", memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]


def release_memory() -> None:
    """Gives memory that nothing refers to any more back to the device, so that the next model finds it free."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
