"""The versions. The n-th VersionCreated of the log is version n, so that numbers have no gaps and none is given twice."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guessbook.projections.fold import Handlers
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Version


@dataclass
class Versions:
    versions: list[Version] = field(default_factory=list)
    name_of_run: dict[str, str] = field(default_factory=dict)

    def fork(self) -> "Versions":
        """The same versions; what is added to either is not in the other. A version itself never changes."""
        return Versions(self.versions.copy(), self.name_of_run.copy())


def version_name(number: int, created_at_us: int, slug: str) -> str:
    """`v002_20251117_math_fixes`; the day is that of UTC."""
    day = datetime.fromtimestamp(created_at_us / 1e6, tz=UTC)
    return f"v{number:03d}_{day:%Y%m%d}_{re.sub('[^a-z0-9_]+', '_', slug.lower())[:60] or 'run'}"


def _created(state: Versions, event: Event, body: events.VersionCreated) -> None:
    number = len(state.versions) + 1
    name = version_name(number, event.recorded_at_us, body.slug)
    state.name_of_run[body.run] = name
    state.versions.append(
        Version(
            name=name,
            number=number,
            parent=body.parent,
            job=body.job,
            run=body.run,
            dataset=body.dataset,
            base_model=body.base_model,
            created_at_us=event.recorded_at_us,
            steps=body.steps,
            final_loss=body.final_loss,
            baseline_accuracy=body.baseline_accuracy,
            final_accuracy=body.final_accuracy,
            files=body.files,
            position=event.position,
        )
    )


HANDLERS: Handlers = {"version_created": _created}
