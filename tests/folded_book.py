"""A client's questions answered from a fold in memory, without a server."""

from collections.abc import Iterator
from typing import cast

from guessbook.clients.client import Guessbook
from guessbook.projections import examples, insights, observations, views
from guessbook.projections.book import Book
from guessbook.projections.example_summary import summarise
from guessbook.proto.history_pb2 import (
    At,
    ListExamplesRequest,
    ListExamplesResponse,
    ListInsightsResponse,
    Observations,
    ReadObservationsRequest,
    Run,
    Status,
    Steps,
    SummariseExamplesRequest,
    SummariseExamplesResponse,
    Trajectory,
)


class FoldedBook:
    """Knows one moment: that of its book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @classmethod
    def client(cls, book: Book) -> Guessbook:
        """As what it stands in for."""
        return cast(Guessbook, cls(book))

    def status(self, at: At | None = None) -> Status:
        status = views.status(self._book)
        status.log_id, status.server_version = "log-of-a-test", "0"
        return status

    def run(self, run: str = "latest", at: At | None = None) -> Run:
        found = views.run(self._book, run)
        assert found
        return found

    def steps(self, run: str, at: At | None = None, *, after_step: int = 0, max_points: int = 0) -> Steps:
        found = views.steps(self._book, run, after_step, max_points)
        assert found
        return found

    def examples(self, run: str, at: At | None = None, **asked: object) -> ListExamplesResponse:
        found = examples.page(self._book, ListExamplesRequest(run=run, **asked))  # type: ignore[arg-type]
        assert found
        return found

    def summarise_examples(
        self, run: str, at: At | None = None, *, categories: int = 0, cells: int = 0, **asked: object
    ) -> SummariseExamplesResponse:
        wanted = ListExamplesRequest(run=run, **asked)  # type: ignore[arg-type]
        request = SummariseExamplesRequest(filter=wanted, categories=categories, cells=cells)
        found = summarise(self._book, request)
        assert found
        return found

    def observations(self, run: str, at: At | None = None, **asked: object) -> Iterator[Observations]:
        wanted = ListExamplesRequest(run=run, **asked)  # type: ignore[arg-type]
        found = observations.observations(self._book, ReadObservationsRequest(filter=wanted))
        assert found is not None
        return found

    def trajectory(self, run: str, example: str, at: At | None = None) -> Trajectory:
        found = examples.trajectory(self._book, run, example)
        assert found
        return found

    def insights(self, run: str, at: At | None = None) -> ListInsightsResponse:
        return ListInsightsResponse(insights=insights.insights(self._book, run), position=self._book.position)
