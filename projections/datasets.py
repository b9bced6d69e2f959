"""The registered datasets and the texts of their examples."""

from dataclasses import dataclass, field, replace

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.forks import ForkedDict
from guessbook.projections.text_column import CodedColumn, TextColumn
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event

TEXT_LIMIT = (
    16 * 1024
)  # characters of a prompt, an answer or a category; of a longer one the log has the beginning, and CUT
CUT = "…"


def is_cut(text: str) -> bool:
    """Whether the log has only the beginning of a text."""
    return len(text) == TEXT_LIMIT + len(CUT) and text.endswith(CUT)


@dataclass
class Examples:
    """A dataset's examples in columns; an example's index is its place in each."""

    name: str
    form: str
    md5: str
    count: int
    ids: TextColumn = field(default_factory=TextColumn)
    prompts: TextColumn = field(default_factory=TextColumn)
    expected: TextColumn = field(default_factory=TextColumn)
    categories: CodedColumn = field(default_factory=CodedColumn)
    index_of: dict[str, int] = field(default_factory=dict)

    def seal(self) -> None:
        """Nothing to do: a copy changes nothing."""

    def copy(self) -> "Examples":
        columns = {
            name: value.copy()
            for name, value in vars(self).items()
            if isinstance(value, TextColumn | CodedColumn | dict)
        }
        return replace(self, **columns)  # type: ignore[arg-type]


@dataclass
class Datasets:
    by_sha256: ForkedDict[Examples] = field(default_factory=ForkedDict)

    def fork(self) -> "Datasets":
        return Datasets(self.by_sha256.fork())


def _registered(state: Datasets, event: Event, body: events.DatasetRegistered) -> None:
    state.by_sha256[body.sha256] = Examples(body.name, body.form, body.md5, body.examples)


def _examples(state: Datasets, event: Event, body: events.ExamplesRegistered) -> None:
    examples = state.by_sha256.own(event.subject.removeprefix("dataset/"))
    if examples is None or body.first_index != len(examples.ids):
        raise Misplaced(f"examples from {body.first_index} on don't follow what is known of {event.subject}")
    if not len(body.id) == len(body.prompt) == len(body.expected) == len(body.category):
        raise Misplaced("its columns have different lengths")
    examples.index_of.update((identity, body.first_index + i) for i, identity in enumerate(body.id))
    examples.ids.extend(body.id)
    examples.prompts.extend(body.prompt)
    examples.expected.extend(body.expected)
    examples.categories.extend(body.category)


HANDLERS: Handlers = {"dataset_registered": _registered, "examples_registered": _examples}
