"""Which examples snapshots look at. Knows examples and the seed, not tokens and not models."""

import heapq
import random
from collections import defaultdict
from collections.abc import Sequence

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.dataset import Example
from guessbook.trainer.errors import UnusableSetting

NAMED = 5  # missing ids that a message names
MOST = 150_000  # examples; the event that names them has no room for more


def tracked_indices(config: TrainingConfig, examples: Sequence[Example]) -> list[int]:
    """The tracked examples, ascending: all; a sample; the named ones; or a sample and the named ones. Of more than MOST a sample of so many.

    The sample depends on the seed and the data alone. Raises UnusableSetting for a name that no example has.
    """
    named = _named(config.tracked_ids, examples)
    if named and not config.tracked_examples:
        return sorted(named)
    size = min(config.tracked_examples or MOST, MOST)
    return sorted(named | set(stratified(examples, size, config.seed)))


def stratified(examples: Sequence[Example], size: int, seed: int) -> list[int]:
    """A random sample of so many indices in which each category has its share, and at least one place while they last, the largest first."""
    categories: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        categories[example.category].append(index)
    if size >= len(examples):
        return list(range(len(examples)))
    places = dict.fromkeys(sorted(categories, key=lambda name: (-len(categories[name]), name))[:size], 1)
    # What is left goes, place by place, to the category that lacks most of its share.
    share = {name: size * len(categories[name]) / len(examples) for name in places}
    lacking = [(1 - share[name], name) for name in places if len(categories[name]) > 1]
    heapq.heapify(lacking)
    for _ in range(size - len(places)):
        lack, name = heapq.heappop(lacking)
        places[name] += 1
        if places[name] < len(categories[name]):
            heapq.heappush(lacking, (lack + 1, name))
    chance = random.Random(seed)
    return [index for name, count in places.items() for index in chance.sample(categories[name], count)]


def _named(ids: Sequence[str], examples: Sequence[Example]) -> set[int]:
    if not ids:
        return set()
    index_of = {example.id: index for index, example in enumerate(examples)}
    missing = [identity for identity in ids if identity not in index_of]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise UnusableSetting(
            f"no example has the id {', '.join(missing[:NAMED])}{more}",
            "Submit the file again with --tracked-ids of examples that it has.",
        )
    return {index_of[identity] for identity in ids}
