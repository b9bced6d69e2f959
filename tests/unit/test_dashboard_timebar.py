"""What the time bar asks the server, and how often."""

import asyncio
from collections import Counter
from typing import Any

from dash import Dash

from guessbook.clients.dashboard import role, timebar
from guessbook.clients.dashboard.queries import Queries
from guessbook.proto.history_pb2 import At, ListRunsResponse, ListVersionsResponse, Status
from guessbook.proto.safety_pb2 import Backup, ListBackupsResponse, ListOperationsResponse


class Counting:
    """A server that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def status(self, at: At | None = None) -> Status:
        self.asked["status" if at is None else "first"] += 1
        return Status(position=9, recorded_at_us=9)

    async def runs(self) -> ListRunsResponse:
        self.asked["runs"] += 1
        return ListRunsResponse()

    async def versions(self) -> ListVersionsResponse:
        self.asked["versions"] += 1
        return ListVersionsResponse()

    async def operations(self) -> ListOperationsResponse:
        self.asked["operations"] += 1
        return ListOperationsResponse()

    async def backups(self) -> ListBackupsResponse:
        self.asked["backups"] += 1
        return ListBackupsResponse(backups=[Backup(id="b1", head=5)])


class CountingQueries(Queries):
    def __init__(self) -> None:
        super().__init__(lambda: "127.0.0.1:1", lambda _role: "")
        self.counting: Any = Counting()

    @property
    def book(self) -> Any:
        return self.counting


def test_whatever_makes_a_mark_draws_the_bar_again() -> None:
    app = Dash("unit")
    timebar.register(app, Queries.__new__(Queries))
    axis = next(one for name, one in app.callback_map.items() if "past-axis.data" in name)
    assert [one["id"] for one in axis["inputs"]] == ["versions-touched", "backups-touched", "snapshots-touched"]


def test_a_piece_of_a_snapshot_asks_for_the_runs_alone_and_once_for_all_tabs() -> None:
    async def scenario() -> None:
        role.asking.set(role.OWNER)
        queries = CountingQueries()
        asked = queries.counting.asked
        for _tab in range(3):
            drawn = await timebar.whole_axis(queries, [4, 5, 7])
            assert [mark.kind for mark in drawn.marks] == ["backup"]
        assert set(asked.values()) == {1}
        asked.clear()
        for _tab in range(3):
            await timebar.whole_axis(queries, [4, 5, 9])
        assert asked == {"status": 1, "runs": 1}
        asked.clear()
        await timebar.whole_axis(queries, [0, 0, 0])  # what a tab was told is not known: nothing may be older than it
        await timebar.whole_axis(queries, [0, 0, 0])
        assert {*asked.values()} == {2}
        await queries.close()

    asyncio.run(scenario())
