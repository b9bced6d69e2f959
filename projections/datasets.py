"""The registered datasets and the texts of their examples."""

from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced, dispatch
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event


@dataclass
class Examples:
    """A dataset's examples in columns; an example's index is its place in each."""

    name: str
    form: str
    md5: str
    count: int
    ids: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    index_of: dict[str, int] = field(default_factory=dict)


@dataclass
class Datasets:
    by_sha256: dict[str, Examples] = field(default_factory=dict)


def apply(state: Datasets, event: Event) -> Datasets:
    dispatch(state, event, HANDLERS)
    return state


def _registered(state: Datasets, event: Event, body: events.DatasetRegistered) -> None:
    state.by_sha256[body.sha256] = Examples(body.name, body.form, body.md5, body.examples)


def _examples(state: Datasets, event: Event, body: events.ExamplesRegistered) -> None:
    examples = state.by_sha256.get(event.subject.removeprefix("dataset/"))
    if examples is None or body.first_index != len(examples.ids):
        raise Misplaced(f"examples from {body.first_index} on don't follow what is known of {event.subject}")
    examples.index_of.update((identity, body.first_index + i) for i, identity in enumerate(body.id))
    examples.ids.extend(body.id)
    examples.prompts.extend(body.prompt)
    examples.expected.extend(body.expected)
    examples.categories.extend(body.category)


HANDLERS: Handlers = {"dataset_registered": _registered, "examples_registered": _examples}
