"""What may be done with versions and base models that destroys nothing."""

from collections.abc import Callable

from guessbook.projections.book import Book
from guessbook.proto.events_pb2 import Event, VersionNoted, VersionRestored
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.operations import version_named
from guessbook.server.decide.rejection import Invalid, Refused

NOTE_LIMIT = 100_000  # characters
NAME_LIMIT = 200

Decide = Callable[[Book], Decision]


def restore(book: Book, name: str) -> Decision:
    """Takes a version out of the trash. Raises Missing, Refused."""
    version = version_named(book, name)
    if not version.deleted_at_us:
        return Decision("", f"{version.name} is not in the trash; nothing was changed.")
    if version.purged:
        raise Refused(
            f"the term of {version.name} in the trash is over and its files are gone",
            "A backup from before has them: guessbook backup list",
        )
    event = Event(subject=f"version/{version.name}", version_restored=VersionRestored())
    return Decision("", f"{version.name} is back.", [event])


def note(book: Book, name: str, text: str) -> Decision:
    """Writes a note on a version, in place of the one before. Raises Missing, Invalid."""
    version = version_named(book, name)
    if len(text) > NOTE_LIMIT:
        raise Invalid(f"the note has {len(text)} characters", f"At most {NOTE_LIMIT} fit.")
    if version.notes == text:
        return Decision("", "The note is that already.")
    event = Event(subject=f"version/{version.name}", version_noted=VersionNoted(text=text))
    return Decision("", f"The note on {version.name} is written.", [event])


def register_base_model(book: Book, name: str, event: Event) -> Decision:
    """Raises Invalid for a name that can't be, Refused for one that means another model already."""
    if not name or len(name) > NAME_LIMIT or name != name.strip():
        raise Invalid(f"a base model can't be called {name!r}", "Give it a short name.")
    known = book.base_models.by_name.get(name)
    if known is None:
        return Decision("", f"{name} is registered.", [event])
    body = event.base_model_registered
    if (known.source, known.revision, list(known.files)) == (body.source, body.revision, list(body.files)):
        return Decision("", f"{name} is registered already, as it is.")
    raise Refused(f"{name} is registered already, and is another model", "Register this one under another name.")
