"""What Prometheus may ask of a running server. Knows the instruments and how they are served, on this machine alone; others call them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Subscriber:
    """One open subscription; `next` is the position it goes on at."""

    def __init__(self, position: int) -> None:
        self.next = position


@dataclass(frozen=True)
class Sizes:
    """What is looked at when somebody asks. Bytes, positions and counts."""

    head: int
    projection: int
    queue: int
    log_bytes: int
    map_bytes: int
    map_used_bytes: int
    readers: int


class Metrics(Collector):
    """The instruments of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._appends = Histogram(
            "guessbook_append_seconds",
            "From a batch's arrival at the writer until it is durable",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._commits = Histogram(
            "guessbook_commit_seconds",
            "One commit of the log, with its fdatasync",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._events = Counter("guessbook_events_appended", "Events stored since the start", registry=self.registry)
        self._subscribers: WeakSet[Subscriber] = WeakSet()
        self._sizes: Callable[[], Sizes] | None = None

    def committed(self, seconds: float, events: int) -> None:
        self._commits.observe(seconds)
        self._events.inc(events)

    def appending(self) -> "Callable[[asyncio.Future[Any]], None]":
        """Called when an append begins; what it returns when its future is done."""
        began = perf_counter()
        return lambda done: self._appends.observe(perf_counter() - began)

    def subscriber(self, position: int) -> Subscriber:
        """A new subscription; it counts as long as it is held."""
        made = Subscriber(position)
        self._subscribers.add(made)
        return made

    @property
    def subscribers(self) -> int:
        """Subscriptions that are open now."""
        return len(self._subscribers)

    def watch(self, sizes: Callable[[], Sizes]) -> None:
        """`sizes` is asked at each look, in a thread of its own."""
        self._sizes = sizes
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        assert self._sizes
        sizes = self._sizes()
        lags = [sizes.head + 1 - subscriber.next for subscriber in list(self._subscribers)]
        for name, meaning, value in (
            ("head_position", "The log's last position", sizes.head),
            ("projection_position", "The position up to which the live state is folded", sizes.projection),
            ("writer_queue_depth", "Appends that wait for the writer", sizes.queue),
            ("log_bytes", "What the log takes on disk", sizes.log_bytes),
            ("log_map_bytes", "The log's most", sizes.map_bytes),
            ("log_map_used_bytes", "How much of it was ever used", sizes.map_used_bytes),
            ("log_readers", "Read transactions that are open", sizes.readers),
            ("subscribers", "Open subscriptions", len(lags)),
            ("subscriber_lag_events", "How far the slowest subscription is behind the head", max([0, *lags])),
        ):
            yield GaugeMetricFamily(f"guessbook_{name}", meaning, value=value)


class MetricsPage:
    """Serves a registry at `http://127.0.0.1:PORT/metrics` until it is closed. Raises OSError."""

    def __init__(self, registry: CollectorRegistry, port: int) -> None:
        self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=registry)
        self.address = f"http://127.0.0.1:{self._server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
