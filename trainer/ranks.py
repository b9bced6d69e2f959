"""The processes that train one model together, as torchrun and accelerate start them. Knows torch.distributed, not what they tell each other."""

from typing import TypeVar

from torch import distributed

T = TypeVar("T")


def is_shared() -> bool:
    """Whether other processes train with this one."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def gathered(mine: T) -> list[T]:
    """What each process has to say, in the order of their ranks; to be called by all of them at the same turn. It waits for the slowest."""
    if not is_shared():
        return [mine]
    told: list[T] = [mine] * distributed.get_world_size()
    distributed.all_gather_object(told, mine)
    return told
