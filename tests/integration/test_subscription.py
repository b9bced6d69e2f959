"""Subscriptions against a real server that is killed again and again: no gap, no duplicate, and an end when it is asked for."""

import asyncio
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from made_events import run_start, step
from server_process import ServerProcess

from guessbook.clients.async_client import AsyncGuessbook
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Forbidden, GuessbookError, Rejected, Unreachable
from guessbook.clients.producer import Producer
from guessbook.clients.reading import Answer
from guessbook.proto.events_pb2 import ROLE_TRAINER, Event
from guessbook.proto.history_pb2 import At

PATIENCE_S = 30.0
KILLS = 8


class Load:
    """Records steps as fast as they are taken, until it is told to end; `last` is then the last step's number."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._record)
        self.last = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> int:
        self._ending.set()
        self._thread.join()
        return self.last

    def _record(self) -> None:
        self._producer.record(run_start(1))
        while not self._ending.is_set():
            self.last += 1
            self._producer.record(step(self.last, examples=range(8), losses=[0.5] * 8))
            if self.last % 100 == 0:
                time.sleep(0.005)  # the test machine has to fold it all


class Seen:
    """What came so far; checks each answer as it comes."""

    def __init__(self) -> None:
        self.position = 0
        self.step = 0

    def take(self, answer: Answer) -> None:
        for event in answer.events:
            assert event.position == self.position + 1
            self.position = event.position
            if event.HasField("step_completed"):
                assert event.step_completed.step == self.step + 1
                self.step += 1
        assert answer.next == self.position + 1


def _kill_at_random(server: ServerProcess, load: Load, done: threading.Event, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        server.kill()
        server.start()
    load.end()
    done.set()


def test_a_subscription_at_full_rate_outlives_killed_servers(server: ServerProcess, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seen, slow = Seen(), Seen()
    done = threading.Event()
    with server.client() as book, server.client() as other, book.producer("p", tmp_path / "p.sqlite") as producer:
        with Load(producer) as load:
            killer = threading.Thread(target=_kill_at_random, args=(server, load, done, seed))
            killer.start()
            second = threading.Thread(target=_read_slowly, args=(other, slow, load, done))
            second.start()
            for answer in book.subscribe():
                seen.take(answer)
                if done.is_set() and seen.step == load.last:
                    break
            killer.join()
            second.join()
        assert producer.flush(PATIENCE_S)
    print(f"{seen.position} events over {KILLS} killed servers")
    assert seen.step == slow.step == load.last


def _read_slowly(book: Guessbook, seen: Seen, load: Load, done: threading.Event) -> None:
    for answer in book.subscribe():
        seen.take(answer)
        if done.is_set() and seen.step == load.last:
            return
        if not done.is_set():
            time.sleep(0.2)


def test_an_async_subscription_outlives_killed_servers(server: ServerProcess, tmp_path: Path) -> None:
    seen, done = Seen(), threading.Event()

    async def follow(load: Load) -> None:
        async with AsyncGuessbook(server.address, server.home.token) as book:
            async for answer in book.subscribe():
                seen.take(answer)
                if done.is_set() and seen.step == load.last:
                    return

    with Producer("p", tmp_path / "p.sqlite", server.address, token=server.home.token) as producer:
        with Load(producer) as load:
            killer = threading.Thread(target=_kill_at_random, args=(server, load, done, 7))
            killer.start()
            asyncio.run(follow(load))
            killer.join()
        assert producer.flush(PATIENCE_S)
    assert seen.step == load.last


def test_a_subscription_finds_a_server_that_came_back_elsewhere(server: ServerProcess) -> None:
    lost: list[GuessbookError] = []
    with Guessbook(server.home.address, server.home.token) as book:
        answers = book.subscribe(on_lost=lost.append)
        assert next(answers).events
        server.stop()
        server._port = "0"
        server.start()
        back = next(answers)
        assert lost
        assert not back.events  # the heartbeat that says that the line stands again
        assert [event.WhichOneof("body") for event in next(answers).events] == ["server_started"]
        assert book.address == server.address


def test_another_log_at_the_same_address_is_not_taken_for_the_one_before(server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as book:
        answers = book.subscribe()
        next(answers)
        server.stop()
        server.home.log.rename(tmp_path / "before")
        server.start()
        with pytest.raises(Rejected, match="another log"):
            next(answers)
    server.stop()
    shutil.rmtree(server.home.signed_checkpoints)  # verify, too, tells that the log was exchanged


def test_without_a_right_a_subscription_says_so(server: ServerProcess, book: Guessbook) -> None:
    secret = book.create_token("gone", ROLE_TRAINER).secret
    with Guessbook(server.address, secret) as other:
        answers = other.subscribe()
        next(answers)
        book.revoke_token("gone")
        with pytest.raises(GuessbookError, match="token") as caught:
            for _ in answers:
                pass
    assert not isinstance(caught.value, Unreachable)
    with Guessbook(server.address, server.home.token("viewer")) as viewer, pytest.raises(Forbidden):
        viewer.pause()


@pytest.mark.parametrize("ends", ["subscription", "book"])
@pytest.mark.parametrize("alive", [True, False], ids=["served", "server away"])
def test_close_ends_it_at_once(server: ServerProcess, ends: str, alive: bool) -> None:
    book = server.client()
    answers = book.subscribe(on_lost=lambda error: waiting.set())
    waiting, ended = threading.Event(), threading.Event()
    if not alive:
        server.kill()

    def read() -> None:
        for _ in answers:
            waiting.set()
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(PATIENCE_S)
    answers.close() if ends == "subscription" else book.close()
    assert ended.wait(2.0)
    reader.join()
    book.close()
    if not alive:
        server.start()


@pytest.mark.parametrize("alive", [True, False], ids=["served", "server away"])
def test_close_ends_an_async_one_at_once(server: ServerProcess, alive: bool) -> None:
    if not alive:
        server.kill()

    async def scenario() -> None:
        waiting = asyncio.Event()
        async with AsyncGuessbook(server.address if alive else "127.0.0.1:1", server.home.token) as book:
            answers = book.subscribe(on_lost=lambda error: waiting.set())

            async def read() -> None:
                async for _ in answers:
                    waiting.set()

            reader = asyncio.create_task(read())
            await asyncio.wait_for(waiting.wait(), PATIENCE_S)
            answers.close()
            await asyncio.wait_for(reader, 2.0)

    asyncio.run(scenario())
    if not alive:
        server.start()


def test_a_cancelled_wait_loses_nothing(server: ServerProcess, tmp_path: Path) -> None:
    """A wait with a time limit is cancelled in the middle; the next one goes on where it was."""

    async def scenario() -> list[Event]:
        events: list[Event] = []
        async with AsyncGuessbook(server.address, server.home.token) as book:
            producer = book.producer("p", tmp_path / "p.sqlite")
            answers = book.subscribe()
            producer.record(run_start(1))
            for number in range(1, 6):
                while True:
                    try:
                        answer = await asyncio.wait_for(anext(answers), 0.2)
                    except TimeoutError:
                        break
                    events += answer.events
                producer.record(step(number))
            assert await asyncio.to_thread(producer.close, PATIENCE_S)
            head = (await book.head()).position
            while len(events) < head:
                events += (await anext(answers)).events
        return events

    events = asyncio.run(scenario())
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert [event.step_completed.step for event in events if event.HasField("step_completed")] == [1, 2, 3, 4, 5]


def test_the_async_client_asks_and_stores_as_the_other_does(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text('{"question": "1+1?", "answer": "2"}\n')

    async def scenario() -> None:
        async with AsyncGuessbook(server.address, server.home.token) as other:
            assert (await other.submit(file, dry_run=True)).examples == 1
            sha256 = await other.upload(file)
            assert b"".join([piece async for piece in other.download(sha256)]) == file.read_bytes()
            assert b"".join(book.download(sha256)) == file.read_bytes()
            assert [event async for event in other.read()] == list(book.read())
            assert [event async for event in other.read(limit=1)] == list(book.read(limit=1))
            assert (await other.jobs(At(position=1))) == book.jobs(At(position=1))
            with pytest.raises(Rejected):
                await other.pause()

    asyncio.run(scenario())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith(("producer-", "subscription"))
    ]
    assert not left
