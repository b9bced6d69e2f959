"""Which examples come before and after one, as the list is filtered and sorted now. Knows the questions, no component."""

from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.dashboard.view import View
from guessbook.proto.history_pb2 import Trajectory


async def around(queries: Queries, run: str, view: View, trajectory: Trajectory) -> dict[str, list[int] | None]:
    """The neighbours as [index, row]: in the list, if the example was opened from it, else in the file (row −1)."""
    if view.row is None or view.example is None:
        before = trajectory.previous if trajectory.HasField("previous") else None
        after = trajectory.next if trajectory.HasField("next") else None
        return {"previous": None if before is None else [before, -1], "next": None if after is None else [after, -1]}
    first = max(view.row - 1, 0)
    listed = [example.index for example in (await queries.examples(run, view, first, 3)).examples]
    # A live list moves: where the example has left its place, the one that took it comes next.
    place = listed.index(view.example) if view.example in listed else view.row - first
    follows = place + 1 if view.example in listed else place
    return {
        "previous": [listed[place - 1], first + place - 1] if 0 < place <= len(listed) else None,
        "next": [listed[follows], first + follows] if follows < len(listed) else None,
    }
