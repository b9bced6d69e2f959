"""What both clients can ask of the book, now or at any point in the past, each method written once. Knows the wire."""

from collections.abc import Sequence

from guessbook.clients.methods import Call, Methods, remote
from guessbook.proto import history_pb2


class QuestionMethods(Methods):
    """`at` is the point that is asked about; without it the answer is as of now."""

    @remote
    def status(self, at: history_pb2.At | None = None) -> Call[history_pb2.Status]:
        """What goes on: the active job and its run, the queue in numbers, the trainers, the server and its disk."""
        return Call(self._history.GetStatus, history_pb2.GetStatusRequest(at=at))

    @remote
    def jobs(
        self, at: history_pb2.At | None = None, states: Sequence[history_pb2.JobState.ValueType] = ()
    ) -> Call[history_pb2.ListJobsResponse]:
        """Jobs: the active one, then the queue in the order it will run, then the finished, newest first."""
        return Call(self._history.ListJobs, history_pb2.ListJobsRequest(at=at, states=states))

    @remote
    def explain(self, at: history_pb2.At | None = None) -> Call[history_pb2.ExplainQueueResponse]:
        """Why each job runs, is next or has to wait, and when it is expected to start and to end."""
        return Call(self._history.ExplainQueue, history_pb2.ExplainQueueRequest(at=at))

    @remote
    def runs(self, at: history_pb2.At | None = None) -> Call[history_pb2.ListRunsResponse]:
        """All runs, newest first."""
        return Call(self._history.ListRuns, history_pb2.ListRunsRequest(at=at))

    @remote
    def run(self, run: str = "latest", at: history_pb2.At | None = None) -> Call[history_pb2.Run]:
        """How far a run is, its snapshots, and how many of its examples are in which state."""
        return Call(self._history.GetRun, history_pb2.GetRunRequest(run=run, at=at))

    @remote
    def steps(
        self, run: str = "latest", at: history_pb2.At | None = None, *, after_step: int = 0, max_points: int = 0
    ) -> Call[history_pb2.Steps]:
        """The step curves in columns; `max_points` thins them evenly."""
        request = history_pb2.ListStepsRequest(run=run, at=at, after_step=after_step, max_points=max_points)
        return Call(self._history.ListSteps, request)

    @remote
    def examples(
        self,
        run: str = "latest",
        at: history_pb2.At | None = None,
        *,
        states: Sequence[history_pb2.ExampleState.ValueType] = (),
        search: str = "",
        category: str = "",
        sort: str = "index",
        offset: int = 0,
        limit: int = 0,
        only_tracked: bool = False,
        only_held_out: bool = False,
        indices: Sequence[int] = (),
        box: history_pb2.MapBox | None = None,
        since_step: int | None = None,
        changes: Sequence[history_pb2.Change.ValueType] = (),
    ) -> Call[history_pb2.ListExamplesResponse]:
        """A page of examples with their state and latest guess. `matching` of `total` tells what the filter leaves.

        It ends at about 4 MB, so that of long examples there are fewer than `limit`: go on by as many as there are. `box`: only those in this part of the data
        map. `changes`: only what became so between the snapshot at `since_step` and the last one at the point.
        """
        request = history_pb2.ListExamplesRequest(
            run=run,
            at=at,
            states=states,
            search=search,
            category=category,
            sort=sort,
            offset=offset,
            limit=limit,
            only_tracked=only_tracked,
            only_held_out=only_held_out,
            indices=indices,
            box=box,
            since_step=since_step,
            changes=changes,
        )
        return Call(self._history.ListExamples, request)

    @remote
    def summarise_examples(
        self,
        run: str = "latest",
        at: history_pb2.At | None = None,
        *,
        states: Sequence[history_pb2.ExampleState.ValueType] = (),
        search: str = "",
        category: str = "",
        only_tracked: bool = False,
        only_held_out: bool = False,
        indices: Sequence[int] = (),
        box: history_pb2.MapBox | None = None,
        since_step: int | None = None,
        changes: Sequence[history_pb2.Change.ValueType] = (),
        categories: int = 0,
        cells: int = 0,
    ) -> Call[history_pb2.SummariseExamplesResponse]:
        """How the examples under a filter, as for `examples`, are spread over states, categories and the data map.

        With `since_step` also how they were at that snapshot, and what became of them. `categories`: at most so many, the largest first (0: 20);
        `category_count` tells how many there are. `cells`: the data map in so many cells along each axis; 0: without it.
        """
        chosen = history_pb2.ListExamplesRequest(
            run=run,
            at=at,
            states=states,
            search=search,
            category=category,
            only_tracked=only_tracked,
            only_held_out=only_held_out,
            indices=indices,
            box=box,
            since_step=since_step,
            changes=changes,
        )
        request = history_pb2.SummariseExamplesRequest(filter=chosen, categories=categories, cells=cells)
        return Call(self._history.SummariseExamples, request)

    @remote
    def trajectory(self, run: str, example: str, at: history_pb2.At | None = None) -> Call[history_pb2.Trajectory]:
        """All that is known of one example: `example` is its id, or "#3" for the index."""
        return Call(self._history.GetTrajectory, history_pb2.GetTrajectoryRequest(run=run, example=example, at=at))

    @remote
    def compare(
        self,
        before: history_pb2.Stage,
        after: history_pb2.Stage,
        at: history_pb2.At | None = None,
        *,
        changes: Sequence[history_pb2.Change.ValueType] = (),
        search: str = "",
        offset: int = 0,
        limit: int = 0,
    ) -> Call[history_pb2.CompareResponse]:
        """Two versions, runs or steps, example by example: how many were fixed and broken, and a page of them."""
        request = history_pb2.CompareRequest(
            before=before, after=after, at=at, changes=changes, search=search, offset=offset, limit=limit
        )
        return Call(self._history.Compare, request)

    @remote
    def insights(self, run: str = "latest", at: history_pb2.At | None = None) -> Call[history_pb2.ListInsightsResponse]:
        """What a person should know about a run's examples, what matters most first."""
        return Call(self._history.ListInsights, history_pb2.ListInsightsRequest(run=run, at=at))

    @remote
    def versions(
        self, at: history_pb2.At | None = None, *, deleted: bool = False
    ) -> Call[history_pb2.ListVersionsResponse]:
        """The versions, newest first; `deleted`: those in the trash too."""
        return Call(self._history.ListVersions, history_pb2.ListVersionsRequest(at=at, deleted=deleted))

    @remote
    def events(
        self,
        at: history_pb2.At | None = None,
        *,
        types: Sequence[str] = (),
        subjects: Sequence[str] = (),
        actor: str = "",
        before: int = 0,
        limit: int = 0,
    ) -> Call[history_pb2.ListEventsResponse]:
        """The events up to a point, newest first. `read` and `subscribe` give them in order.

        `types` are their names, as "JobQueued"; a subject that ends with "/" takes all that begin so. One answer looks at so many events and no more, and
        may hold none: go on with `before=answer.next` until `next` is 0.
        """
        request = history_pb2.ListEventsRequest(
            at=at, types=types, subjects=subjects, actor=actor, before=before, limit=limit
        )
        return Call(self._history.ListEvents, request)
