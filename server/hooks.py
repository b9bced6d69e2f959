"""Runs the hooks of config.yaml: for each event that one waits for, its command or its webhook, and an event that tells how that went.

Each hook runs for one event after the other, and all together a few at a time. Nothing waits for them. Knows how to run one, not which event sets it off.
"""

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from google.protobuf.json_format import MessageToJson

from guessbook.projections.hooks import SUBJECT
from guessbook.proto.events_pb2 import Event, HookRan
from guessbook.server.decide.hooks import missed, set_off
from guessbook.server.live_book import LiveBook
from guessbook.store import config as config_file
from guessbook.store.config import BadConfig, Hook
from guessbook.store.errors import LogError
from guessbook.store.home import Home
from guessbook.store.log import Append

AT_ONCE = 4
WAITING = 1000  # events of one hook; more are left out, and the log says so
MISSED = 10_000  # so many of the log's last events are looked through at a start
OUTPUT_BYTES = 4096  # the end of it is kept
URL = "GUESSBOOK_WEBHOOK"
ACTOR = "server"

_log = logging.getLogger(__name__)


class Hooks:
    """`address`: of the server, as it is once it serves."""

    def __init__(self, live: LiveBook, home: Home, address: Callable[[], str]) -> None:
        self._live = live
        self._home = home
        self._address = address
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting: defaultdict[str, list[tuple[Hook, Event]]] = defaultdict(list)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._began = live.book.position
        self._answered = live.book.hooks.answered.copy()  # as the server before has left it
        self._early: list[Event] | None = []  # what comes before those that were missed are found
        self._read: tuple[object, Sequence[Hook]] = (None, ())

    async def start(self) -> None:
        """Runs those that were missed when the server was killed, as far as the last events of the log tell. Raises LogErrors."""
        hooks = self._configured()
        if any(hook.name in self._answered for hook in hooks):
            last = self._live.log.read_all(max(1, self._began - MISSED), to_position=self._began)
            for event in await asyncio.to_thread(list, last):
                self._set_off((hook for hook in hooks if missed(self._answered, hook, event)), event)
        early, self._early = self._early or (), None
        self.follow(early)

    def follow(self, events: Sequence[Event]) -> None:
        if self._early is not None:
            self._early += events
            return
        hooks = self._configured() if any(_may_set_off(event) for event in events) else ()
        for event in events:
            self._set_off(hooks, event)

    async def close(self) -> None:
        """Ends what runs; it runs again after the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _configured(self) -> Sequence[Hook]:
        """As config.yaml says now; where it can't be read, as it said before."""
        try:
            told = self._home.config.stat()
            state = (told.st_ino, told.st_mtime_ns, told.st_size)
        except OSError:
            state = None
        if state != self._read[0]:
            try:
                self._read = state, config_file.read(self._home.config)[0].hooks
            except (BadConfig, OSError) as error:
                self._read = state, self._read[1]
                _log.error("hooks stay as they were: %s", error)
        return self._read[1]

    def _set_off(self, hooks: Iterable[Hook], event: Event) -> None:
        for hook in set_off(self._live.book, hooks, event):
            waiting = self._waiting[hook.name]
            if len(waiting) >= WAITING:
                _log.error("hook %s does not run for the event at %d: too many wait", hook.name, event.position)
                continue
            waiting.append((hook, event))
            task = self._tasks.get(hook.name)
            if task is None or task.done():
                self._tasks[hook.name] = asyncio.create_task(self._work_off(waiting))

    async def _work_off(self, waiting: list[tuple[Hook, Event]]) -> None:
        while waiting:
            hook, event = waiting[0]
            began = time.perf_counter()
            async with self._room:
                try:
                    ok, detail = await run(hook, event, self._environment(hook, event), str(self._home.root))
                except (OSError, ValueError) as error:  # the latter: what no environment can hold
                    ok, detail = False, str(error)
            del waiting[0]
            if not ok:
                _log.warning("hook %s failed for the event at %d: %s", hook.name, event.position, detail)
            ran = HookRan(ok=ok, detail=detail, seconds=time.perf_counter() - began)
            told = Event(subject=f"{SUBJECT}{hook.name}", causation=event.position, hook_ran=ran)
            try:
                await self._live.append(Append([told], ACTOR))
            except LogError:
                _log.exception("hook %s ran for the event at %d, which is not in the log", hook.name, event.position)

    def _environment(self, hook: Hook, event: Event) -> dict[str, str]:
        told = {
            "HOOK": hook.name,
            "EVENT": event.WhichOneof("body") or "",
            "POSITION": str(event.position),
            "SUBJECT": event.subject,
            "ACTOR": event.actor,
            "HOME": str(self._home.root),
            "ADDRESS": self._address(),
        }
        return {**os.environ, **{f"GUESSBOOK_{name}": value for name, value in told.items()}}


async def run(hook: Hook, event: Event, environment: dict[str, str], folder: str) -> tuple[bool, str]:
    """Runs a hook for an event, which it gets as JSON at its standard input: whether it went well, and the end of its output. Raises OSError.

    It has ended when its output is closed; what has not ended after its time is killed with all its children.
    """
    webhook = [sys.executable, "-m", "guessbook.server.webhook"]
    command = ["/bin/sh", "-c", hook.command] if hook.command else webhook
    with tempfile.TemporaryFile() as told:
        told.write(MessageToJson(event, preserving_proto_field_name=True).encode())
        told.seek(0)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=told,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={**environment, URL: hook.webhook},
            start_new_session=True,
        )
    output = bytearray()
    try:
        async with asyncio.timeout(hook.timeout_s):
            await _read_end(process, output)
            code = await process.wait()
    except (TimeoutError, asyncio.CancelledError) as reason:
        _kill(process)
        await process.wait()
        if isinstance(reason, asyncio.CancelledError):
            raise
        return False, f"it took longer than {hook.timeout_s:g} s and was killed. {_text(output)}".strip()
    return code == 0, _text(output) if code == 0 else f"it ended with {code}. {_text(output)}".strip()


async def _read_end(process: asyncio.subprocess.Process, output: bytearray) -> None:
    assert process.stdout
    while block := await process.stdout.read(65536):
        output += block
        del output[:-OUTPUT_BYTES]


def _kill(process: asyncio.subprocess.Process) -> None:
    """And its children, which are in its group; they may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(output: bytearray) -> str:
    return output.decode(errors="replace").strip()


def _may_set_off(event: Event) -> bool:
    return event.WhichOneof("body") in config_file.HOOK_EVENTS
