"""Up to which event each hook has answered: what lets a server that was killed make up for those it missed. Knows no config and runs nothing."""

from dataclasses import dataclass, field

from guessbook.projections.fold import Handlers
from guessbook.proto.events_pb2 import Event, HookRan

SUBJECT = "hook/"


@dataclass
class Hooks:
    answered: dict[str, int] = field(default_factory=dict)  # by a hook's name: the last position that it ran for

    def fork(self) -> "Hooks":
        return Hooks(self.answered.copy())


def _ran(state: Hooks, event: Event, body: HookRan) -> None:
    name = event.subject.removeprefix(SUBJECT)
    state.answered[name] = max(event.causation, state.answered.get(name, 0))


HANDLERS: Handlers = {"hook_ran": _ran}
