"""Registering a dataset: what the log keeps of a file that was read."""

from collections.abc import Iterator, Sequence

from guessbook.projections.book import Book
from guessbook.projections.datasets import CUT, TEXT_LIMIT
from guessbook.proto import events_pb2
from guessbook.proto.events_pb2 import DatasetRegistered, DatasetRejected, Event, ExamplesRegistered
from guessbook.server.decide.rejection import Invalid
from guessbook.store.dataset import Dataset, Example, LineError

CHUNK_EXAMPLES = 512
CHUNK_CHARACTERS = 128 * 1024  # at most 4 bytes each
ERRORS_LISTED = 1000
IDS_NAMED = 5  # missing ids that a message names


def line_errors(errors: Sequence[LineError]) -> Iterator[events_pb2.LineError]:
    """As many as an event can hold; how many there are in all is told beside them."""
    size = 0
    for error in errors[:ERRORS_LISTED]:
        size += len(error.reason) + len(error.text)
        if size > CHUNK_CHARACTERS:
            return
        yield events_pb2.LineError(line=error.line, reason=error.reason, text=error.text)


def reject(name: str, sha256: str, dataset: Dataset) -> Event:
    body = DatasetRejected(
        name=name,
        sha256=sha256,
        form=dataset.form,
        lines=dataset.lines,
        errors=line_errors(dataset.errors),
        error_count=len(dataset.errors),
    )
    return Event(subject=f"dataset/{sha256}", dataset_rejected=body)


def register(book: Book, name: str, sha256: str, md5: str, size: int, dataset: Dataset) -> list[Event]:
    """The next events that are still missing for this dataset to be known whole; empty when it is.

    Small enough for one append. A registration that was cut off goes on where it ended.
    """
    known = book.datasets.by_sha256.get(sha256)
    subject = f"dataset/{sha256}"
    if known is None:
        body = DatasetRegistered(
            name=name,
            sha256=sha256,
            md5=md5,
            bytes=size,
            form=dataset.form,
            lines=dataset.lines,
            examples=len(dataset.examples),
            skipped=line_errors(dataset.errors),
            skipped_count=len(dataset.errors),
        )
        return [Event(subject=subject, dataset_registered=body)]
    chunk = _chunk(dataset.examples[len(known.ids) :])
    if not chunk:
        return []
    columns = ExamplesRegistered(
        first_index=chunk[0].index,
        id=[example.id for example in chunk],
        prompt=[cut(example.prompt) for example in chunk],
        expected=[cut(example.expected) for example in chunk],
        category=[cut(example.category) for example in chunk],
    )
    return [Event(subject=subject, examples_registered=columns)]


def check_tracked(ids: Sequence[str], name: str, dataset: Dataset) -> None:
    """Raises Invalid, which names them, if the dataset has no example of some of the ids."""
    known = {example.id for example in dataset.examples} if ids else set()
    missing = [identity for identity in ids if identity not in known]
    if missing:
        more = f" and {len(missing) - IDS_NAMED} more" if len(missing) > IDS_NAMED else ""
        raise Invalid(
            f"no example of {name} has the id {', '.join(missing[:IDS_NAMED])}{more}",
            "Nothing was queued. Submit it again with --tracked-ids of examples that it has; --dry-run shows the first.",
        )


def held_out(trained: Dataset, held: Dataset, *, skip_bad_lines: bool) -> str:
    """What is said of a held-out file, for a person. Raises Invalid if it can't be used as it is."""
    if held.errors and not skip_bad_lines:
        count, first = len(held.errors), held.errors[0]
        raise Invalid(
            f"{count:,} of {held.lines:,} lines of the held-out file can't be read; line {first.line}: {first.reason}",
            "Nothing was queued. Mend them and submit it again, or leave them out with --skip-bad-lines.",
        )
    if not held.examples:
        raise Invalid("the held-out file has no example", "Nothing was queued. Give it one, or submit without it.")
    texts = {(example.prompt, example.expected) for example in trained.examples}
    both = sum((example.prompt, example.expected) in texts for example in held.examples)
    said = f"Held out: {len(held.examples):,} examples, which are watched and never trained on."
    if both:
        said += f" {both:,} of them are in the training data too: what is seen of those is no test."
    return said


def report(name: str, dataset: Dataset, *, skipped: bool) -> str:
    """What was found in a file and how to go on, for a person."""
    found, bad = len(dataset.examples), len(dataset.errors)
    if not found and not bad:
        return f"{name} is empty: it has no line to train on. Nothing was queued."
    if not bad:
        return f"{name}: {found:,} examples in the {dataset.form} form."
    lines = [f"{name}: {bad:,} of {dataset.lines:,} lines can't be read."]
    lines += [f"  line {error.line}: {error.reason}: {error.text}" for error in dataset.errors[:20]]
    if bad > 20:
        lines.append(f"  … and {bad - 20:,} more")
    if not found:
        lines.append("No line can be read, so there is nothing to train on. Your file is unchanged.")
    elif skipped:
        lines.append(f"They are left out; the other {found:,} are used. The file is stored whole.")
    else:
        lines.append(f"Nothing was queued. Your file is unchanged, and the other {found:,} lines are fine.")
        lines.append("Mend these lines and submit it again, or leave them out with --skip-bad-lines.")
    return "\n".join(lines)


def _chunk(examples: Sequence[Example]) -> Sequence[Example]:
    size = 0
    for count, example in enumerate(examples[:CHUNK_EXAMPLES]):
        size += sum(
            min(len(text), TEXT_LIMIT) for text in (example.id, example.prompt, example.expected, example.category)
        )
        if size > CHUNK_CHARACTERS and count:
            return examples[:count]
    return examples[:CHUNK_EXAMPLES]


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """At most the text's beginning: the file's exact bytes are an artifact."""
    return text if len(text) <= limit else text[:limit] + CUT
