"""The base models that are registered, and which of them jobs train that name none."""

from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers, Misplaced
from guessbook.proto import events_pb2 as events
from guessbook.proto.events_pb2 import Event
from guessbook.proto.safety_pb2 import BaseModel

SUBJECT = "base-model/"


@dataclass
class BaseModels:
    by_name: dict[str, BaseModel] = field(default_factory=dict)
    used: str = ""

    def fork(self) -> "BaseModels":
        """The same base models; an entry is replaced, never changed."""
        return BaseModels(self.by_name.copy(), self.used)


def reference(model: BaseModel) -> str:
    """What a job's config calls it: a path or a Hugging Face id, `ID@REVISION` where it is one revision of it."""
    return f"{model.source}@{model.revision}" if model.revision else model.source


def listed(state: BaseModels) -> list[BaseModel]:
    """All of them, in the order they were registered; the one in use is marked."""
    views = []
    for name, model in state.by_name.items():
        view = BaseModel()
        view.CopyFrom(model)
        view.used = name == state.used
        views.append(view)
    return views


def _registered(state: BaseModels, event: Event, body: events.BaseModelRegistered) -> None:
    name = event.subject.removeprefix(SUBJECT)
    state.by_name[name] = BaseModel(
        name=name,
        source=body.source,
        revision=body.revision,
        files=body.files,
        registered_at_us=event.recorded_at_us,
    )


def _switched(state: BaseModels, event: Event, body: events.BaseModelSwitched) -> None:
    if body.to and body.to not in state.by_name:
        raise Misplaced(f"there is no base model {body.to}")
    state.used = body.to


HANDLERS: Handlers = {"base_model_registered": _registered, "base_model_switched": _switched}
