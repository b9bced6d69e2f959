"""The report of a run that has ended, as an artifact. Knows where it is kept and the event that says so, not what it tells."""

from guessbook.clients.client import Guessbook
from guessbook.clients.report.material import gather
from guessbook.clients.report.page import page
from guessbook.proto.events_pb2 import Event, ReportCreated
from guessbook.store.artifacts import Artifacts


def store_report(book: Guessbook, artifacts: Artifacts, run: str) -> Event:
    """Makes the report of what the server knows of the run now, stores it and returns the event to record. Raises GuessbookError, OSError."""
    material = gather(book, run)
    content = page(material).encode()
    created = ReportCreated(
        sha256=artifacts.write([content]), bytes=len(content), step=material.run.step, name=f"{material.run.id}.html"
    )
    return Event(subject=f"run/{material.run.id}", report_created=created)
