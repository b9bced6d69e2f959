import pytest

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer.batch_size import reduced
from guessbook.trainer.schedule import total_steps


@pytest.mark.parametrize(
    ("batch", "accumulation", "wanted"),
    [(8, 1, (4, 2)), (2, 4, (1, 8)), (6, 2, (3, 4)), (9, 1, (3, 3)), (7, 2, (1, 14)), (12, 1, (6, 2))],
)
def test_it_is_at_most_half_and_the_steps_stay(batch: int, accumulation: int, wanted: tuple[int, int]) -> None:
    config = TrainingConfig(
        per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, num_train_epochs=3
    )
    told = reduced(config)
    assert told
    assert (told.per_device_train_batch_size, told.gradient_accumulation_steps) == wanted
    smaller = TrainingConfig(
        per_device_train_batch_size=wanted[0], gradient_accumulation_steps=wanted[1], num_train_epochs=3
    )
    for examples in range(1, 100):
        assert total_steps(smaller, examples) == total_steps(config, examples)


def test_one_example_cannot_be_halved() -> None:
    assert reduced(TrainingConfig(per_device_train_batch_size=1, gradient_accumulation_steps=8)) is None
