"""Producers that send as fast as they are acknowledged: step events with 8 per-example losses, in batches, over the Append stream."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np

from guessbook.clients.connection import aio_channel
from guessbook.proto import log_pb2, raw_pb2
from guessbook.proto.events_pb2 import Event, Events, RunStarted, StepCompleted

LOSSES = 8  # per-example losses of one step
IN_FLIGHT_EVENTS = 4000  # sent and not acknowledged, per producer; at least one batch


def step_event(run: str, number: int, chance: random.Random) -> Event:
    """A step whose numbers don't compress, at a pace of one a millisecond."""
    body = StepCompleted(
        step=number,
        loss=chance.random(),
        learning_rate=2e-4 * (1 - number / 2_000_000),
        grad_norm=chance.random(),
        tokens_per_second=1000 * chance.random(),
        epoch=number / 1000,
        example_index=[chance.randrange(10_000) for _ in range(LOSSES)],
        example_loss=_as_recorded([4 * chance.random() for _ in range(LOSSES)]),
    )
    return Event(subject=f"run/{run}", step_completed=body, occurred_at_us=1_780_000_000_000_000 + 1000 * number)


def _as_recorded(losses: list[float]) -> list[float]:
    """At half precision, as the trainer tells them."""
    return [float(loss) for loss in np.array(losses, np.float16)]


def batches(run: str, events: int, size: int, seed: int, first: int = 1) -> list[bytes]:
    """Serialised `Events` of `size` events each."""
    chance = random.Random(seed)
    numbers = range(first, first + events)
    return [
        Events(events=[step_event(run, number, chance) for number in numbers[start : start + size]]).SerializeToString()
        for start in range(0, events, size)
    ]


async def produce(
    address: str, token: str, name: str, run: str, payloads: Sequence[bytes], in_flight: int
) -> list[float]:
    """Sends the run's start, then the batches, at most `in_flight` unacknowledged. Seconds from sending to ack of each."""
    sent_at: list[float] = []
    took: list[float] = []
    window = asyncio.Semaphore(in_flight)
    welcome = asyncio.Event()
    start = Event(subject=f"run/{run}", run_started=RunStarted(total_steps=10**9, tracked=[], examples=10_000))
    before = Events(events=[start]).SerializeToString()

    async def requests() -> AsyncIterator[raw_pb2.AppendRequest]:
        yield raw_pb2.AppendRequest(hello=log_pb2.Hello(producer=name))
        await welcome.wait()
        yield raw_pb2.AppendRequest(batch=raw_pb2.Batch(sequence=1, events=before))
        for sequence, payload in enumerate(payloads, start=2):
            await window.acquire()
            sent_at.append(time.perf_counter())
            yield raw_pb2.AppendRequest(batch=raw_pb2.Batch(sequence=sequence, events=payload))

    async with aio_channel(address, token) as channel:
        append = channel.stream_stream(
            "/guessbook.v1.Log/Append",
            request_serializer=raw_pb2.AppendRequest.SerializeToString,
            response_deserializer=log_pb2.AppendResponse.FromString,
        )
        async for answer in append(requests()):
            if answer.HasField("welcome"):
                welcome.set()
            elif answer.ack.sequence > 1:
                took.append(time.perf_counter() - sent_at[answer.ack.sequence - 2])
                window.release()
            if len(took) == len(payloads):
                break
    return took


def durable_rate(address: str, token: str, label: str, size: int, producers: int, events: int) -> float:
    """Acknowledged events a second, all producers together; each sends `events` in batches of `size`."""
    work = [
        (f"{label}-{number}", batches(f"{label}-{number}", events, size, seed=number)) for number in range(producers)
    ]
    in_flight = max(1, IN_FLIGHT_EVENTS // size // producers)

    async def run() -> float:
        begin = time.perf_counter()
        await asyncio.gather(
            *(produce(address, token, name, name, payloads, min(in_flight, 64)) for name, payloads in work)
        )
        return time.perf_counter() - begin

    return producers * events / asyncio.run(run())


def ack_times(address: str, token: str, label: str, count: int) -> list[float]:
    """Seconds to the ack of single events, one in flight."""
    return asyncio.run(produce(address, token, label, label, batches(label, count, 1, seed=1), 1))


def fdatasync_times(folder: Path, count: int) -> list[float]:
    """Seconds of an fdatasync after writing one page: what a durable ack costs at the least."""
    took = []
    handle = os.open(folder / "fdatasync.probe", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for number in range(count):
            os.pwrite(handle, os.urandom(4096), 4096 * number)
            begin = time.perf_counter()
            os.fdatasync(handle)
            took.append(time.perf_counter() - begin)
    finally:
        os.close(handle)
    return took
