"""Which hooks an event sets off."""

from collections.abc import Iterable, Iterator, Mapping

from guessbook.projections.book import Book
from guessbook.projections.evolution import RunEvolution, SnapshotColumns
from guessbook.projections.names import run_id
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import EXAMPLE_STATE_REGRESSED
from guessbook.store.config import REGRESSION, Hook


def set_off(book: Book, hooks: Iterable[Hook], event: Event) -> Iterator[Hook]:
    """`book`: at the event or later."""
    names: set[str | None] = {event.WhichOneof("body")}
    if event.HasField("snapshot_completed") and regressed(book, event):
        names.add(REGRESSION)
    return (hook for hook in hooks if not names.isdisjoint(hook.events))


def missed(answered: Mapping[str, int], hook: Hook, event: Event) -> bool:
    """Whether an event came after the last one that a hook ran for. One that never ran has missed nothing."""
    last = answered.get(hook.name)
    return last is not None and event.position > last


def regressed(book: Book, event: Event) -> bool:
    """Whether the snapshot that is completed shows more regressed examples than the one before it in its run."""
    run: RunEvolution | None = book.evolution.by_run.get(run_id(event))
    step = event.snapshot_completed.step
    snapshots = [one for one in run.snapshots if one.step <= step] if run else []
    if len(snapshots) < 2 or snapshots[-1].step != step:
        return False
    before, now = (_count(one) for one in snapshots[-2:])
    return now > before


def _count(snapshot: SnapshotColumns) -> int:
    return int((snapshot.state == EXAMPLE_STATE_REGRESSED).sum())
