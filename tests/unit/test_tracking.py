"""Which examples are tracked: a sample in the categories' proportions, named ones, both, all."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.clients.producer import EVENT_LIMIT
from guessbook.proto.events_pb2 import RunStarted, TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer import tracking
from guessbook.trainer.errors import UnusableSetting
from guessbook.trainer.tracking import MOST, stratified, tracked_indices


def examples(**sizes: int) -> list[Example]:
    """So many of each category, the categories mixed."""
    categories = sorted((number, name) for name, size in sizes.items() for number in range(size))
    return [Example(index, f"e{index}", "p", "x", name) for index, (_, name) in enumerate(categories)]


def shares(data: list[Example], indices: list[int]) -> dict[str, int]:
    return dict(Counter(data[index].category for index in indices))


def test_a_sample_has_the_categories_in_their_proportions() -> None:
    data = examples(sum=60, fact=30, poem=10)
    assert shares(data, stratified(data, 10, seed=1)) == {"sum": 6, "fact": 3, "poem": 1}
    assert shares(data, stratified(data, 50, seed=1)) == {"sum": 30, "fact": 15, "poem": 5}


def test_a_rare_category_has_a_place_as_long_as_there_are_places() -> None:
    data = examples(sum=996, fact=2, poem=1, joke=1)
    assert shares(data, stratified(data, 6, seed=1)) == {"sum": 3, "fact": 1, "poem": 1, "joke": 1}
    assert shares(data, stratified(data, 2, seed=1)) == {"sum": 1, "fact": 1}  # the largest come first


def test_the_sample_depends_on_the_seed_alone() -> None:
    data = examples(a=100)
    config = TrainingConfig(tracked_examples=5, seed=1)
    sample = tracked_indices(config, data)
    assert sample == sorted(set(sample))
    assert len(sample) == 5
    assert sample == tracked_indices(config, data)
    assert sample != tracked_indices(TrainingConfig(tracked_examples=5, seed=2), data)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 100), st.integers(0, 5))
def test_a_sample_has_its_size_and_every_example_once(sizes: list[int], size: int, seed: int) -> None:
    data = examples(**{f"c{number}": many for number, many in enumerate(sizes)})
    sample = stratified(data, size, seed)
    assert len(sample) == len(set(sample)) == min(size, len(data))
    if size >= len([many for many in sizes if many]):
        assert set(shares(data, sample)) == {one.category for one in data}


def test_all_named_ones_or_a_sample_and_the_named_ones() -> None:
    data = examples(a=20)
    assert tracked_indices(TrainingConfig(), data) == list(range(20))
    assert tracked_indices(TrainingConfig(tracked_examples=99), data) == list(range(20))
    assert tracked_indices(TrainingConfig(tracked_ids=["e7", "e3"]), data) == [3, 7]
    sample = tracked_indices(TrainingConfig(tracked_examples=4, seed=1), data)
    both = tracked_indices(TrainingConfig(tracked_examples=4, seed=1, tracked_ids=["e3"]), data)
    assert both == sorted({*sample, 3})


def test_a_name_that_no_example_has_is_told() -> None:
    with pytest.raises(UnusableSetting, match="no example has the id x0, x1, x2, x3, x4 and 2 more"):
        tracked_indices(TrainingConfig(tracked_ids=[f"x{number}" for number in range(7)]), examples(a=3))


def test_of_more_examples_than_an_event_can_name_there_is_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MOST", 10)
    data = examples(a=90, b=10)
    assert shares(data, tracked_indices(TrainingConfig(), data)) == {"a": 9, "b": 1}
    assert len(tracked_indices(TrainingConfig(tracked_examples=50), data)) == 10


def test_the_most_that_is_tracked_fits_into_an_event() -> None:
    ids = ["x" * 25] * 10_000
    started = RunStarted(
        tracked=range(10_000_000, 10_000_000 + MOST + len(ids)),
        cut_example=range(10_000_000, 10_010_000),
        config=TrainingConfig(tracked_ids=ids),
    )
    assert started.ByteSize() < EVENT_LIMIT - 8192
