"""The trainers: which are here, and what each has. Their jobs are the jobs' affair."""

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.projections.jobs import Jobs
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import Trainer


def _connected(state: Jobs, event: Event, body: events.TrainerConnected) -> None:
    name = event.subject.removeprefix("trainer/")
    known = state.trainers.get(name)
    state.trainers[name] = Trainer(
        id=name,
        connected=True,
        epoch=body.epoch,
        device=body.device,
        host=body.host,
        pid=body.pid,
        since_us=event.recorded_at_us,
        job=known.job if known else "",
        devices=body.devices,
    )


def _lost(state: Jobs, event: Event, body: events.TrainerLost) -> None:
    trainer = state.trainers.get(event.subject.removeprefix("trainer/"))
    if trainer is None:
        raise Misplaced(f"there is no {event.subject}")
    trainer.connected = False
    trainer.since_us = event.recorded_at_us


HANDLERS: Handlers = {"trainer_connected": _connected, "trainer_lost": _lost}
