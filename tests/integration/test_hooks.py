"""Hooks on a real server: commands and webhooks that events set off, and that nothing they do holds up the log or is forgotten."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from eventually import eventually
from made_events import run_start, snapshot, write_questions
from made_versions import CONFIG, ScriptedTrainer
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.errors import GuessbookError
from guessbook.proto import events_pb2 as e
from guessbook.server.hooks import Hooks
from guessbook.server.live_book import LiveBook
from guessbook.store.log import Append, Log


def configure(server: ServerProcess, *hooks: dict[str, Any]) -> None:
    server.home.config.write_text(yaml.safe_dump({"hooks": hooks}))


def ran(book: Guessbook, name: str, count: int = 1) -> list[e.Event]:
    """How a hook ran, when it has so often."""

    def told() -> list[e.Event]:
        found = list(book.read(subjects=[f"hook/{name}"]))
        return found if len(found) >= count else []

    return eventually(told)


def submit(book: Guessbook, tmp_path: Path, examples: int = 4) -> e.Event:
    """A job, and the event that queued it."""
    job = book.submit(write_questions(tmp_path / f"sums{examples}.jsonl", examples), config=CONFIG).job
    return next(iter(book.read(subjects=[f"job/{job.id}"])))


def test_a_command_gets_the_event(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = f'cat > {told}; echo "$GUESSBOOK_HOOK $GUESSBOOK_EVENT $GUESSBOOK_SUBJECT at $GUESSBOOK_POSITION"'
    configure(server, {"name": "tell", "events": ["job_queued"], "command": command})
    queued = submit(book, tmp_path)
    (event,) = ran(book, "tell")
    assert event.hook_ran.ok
    assert event.hook_ran.detail == f"tell job_queued {queued.subject} at {queued.position}"
    assert (event.causation, event.actor) == (queued.position, "server")
    shown = json.loads(told.read_text())
    assert (shown["subject"], shown["job_queued"]["name"]) == (queued.subject, "sums4.jsonl")


def test_a_command_that_fails_is_told_with_the_end_of_its_output(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    command = "head -c 100000 /dev/zero | tr '\\0' x; echo the end; exit 3"
    configure(server, {"name": "fails", "events": ["job_queued"], "command": command})
    submit(book, tmp_path)
    told = ran(book, "fails")[0].hook_ran
    assert not told.ok
    assert told.detail.startswith("it ended with 3. xxx")
    assert told.detail.endswith("xxxthe end")
    assert 4000 < len(told.detail) < 4200


def test_what_takes_too_long_is_killed_with_its_children(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    command = "sleep 1000 & echo $!; wait"
    configure(server, {"name": "slow", "events": ["job_queued"], "command": command, "timeout_s": 0.5})
    submit(book, tmp_path)
    told = ran(book, "slow")[0].hook_ran
    assert not told.ok
    assert told.detail.startswith("it took longer than 0.5 s and was killed.")
    child = int(told.detail.split()[-1])
    eventually(lambda: not _lives(child))


def _lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_hooks_hold_up_neither_the_log_nor_each_other(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    configure(
        server,
        {"name": "waits", "events": ["job_queued"], "command": f"while ! test -e {gate}; do sleep 0.05; done"},
        {"name": "quick", "events": ["job_queued"], "command": "true"},
    )
    positions = [submit(book, tmp_path, count).position for count in (4, 5, 6)]
    assert [event.causation for event in ran(book, "quick", 3)] == positions
    assert not list(book.read(subjects=["hook/waits"]))
    gate.touch()
    assert [event.causation for event in ran(book, "waits", 3)] == positions, "one after the other, in the log's order"


def test_a_hook_is_not_set_off_by_hooks(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    configure(server, {"name": "any", "events": ["hook_ran"], "command": "true"})
    submit(book, tmp_path)
    configure(server, {"name": "good", "events": ["job_queued"], "command": "true"})
    submit(book, tmp_path, 5)
    ran(book, "good")
    assert not list(book.read(subjects=["hook/any"]))
    assert "hooks[0].events: hook_ran is unknown" in (server.home.root / "server.log").read_text()


def test_what_a_kill_cut_off_is_made_up_for(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    configure(server, {"name": "tell", "events": ["job_queued"], "command": "true"})
    first = submit(book, tmp_path)
    ran(book, "tell")
    begun = tmp_path / "begun"
    configure(server, {"name": "tell", "events": ["job_queued"], "command": f"touch {begun}; sleep 1000"})
    second, third = submit(book, tmp_path, 5), submit(book, tmp_path, 6)
    eventually(begun.exists)
    server.kill()
    configure(server, {"name": "tell", "events": ["job_queued"], "command": "true"})
    server.start()
    assert [event.causation for event in ran(book, "tell", 3)] == [one.position for one in (first, second, third)]


def test_what_comes_during_a_start_runs_after_what_was_missed(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    hook = {"name": "tell", "events": ["job_queued"], "command": "true"}
    configure(server, hook)
    first = submit(book, tmp_path).position
    ran(book, "tell")
    configure(server)
    missed = submit(book, tmp_path, 5).position
    server.stop()
    configure(server, hook)

    async def during(live: LiveBook, hooks: Hooks) -> int:
        queued = e.Event(subject="job/new", job_queued=e.JobQueued(name="new"))
        new = (await live.append(Append([queued], "local"))).first_position
        await asyncio.sleep(0.2)  # long enough to run a hook, which must not be
        await hooks.start()
        return new

    new = asyncio.run(_beside(server, during))
    server.start()
    assert [event.causation for event in ran(book, "tell", 3)] == [first, missed, new]


def test_an_event_that_no_environment_can_hold_ends_no_hook(server: ServerProcess, book: Guessbook) -> None:
    server.stop()
    configure(server, {"name": "tell", "events": ["job_failed"], "command": "true"})

    async def old(live: LiveBook, hooks: Hooks) -> int:
        await hooks.start()
        failed = e.JobFailed(error="x")
        hooks.follow([e.Event(position=1, subject="job/\0", job_failed=failed)])  # from before such names were refused
        hooks.follow([e.Event(position=2, subject="job/a", job_failed=failed)])
        return 2

    asyncio.run(_beside(server, old))
    server.start()
    told = [event.hook_ran for event in ran(book, "tell", 2)]
    assert [one.ok for one in told] == [False, True]
    assert "null byte" in told[0].detail


async def _beside(server: ServerProcess, do: Callable[[LiveBook, Hooks], Awaitable[int]]) -> int:
    """Does something with hooks in this process, while the server is stopped, and waits until one has run for the event at the position it returns."""
    live = LiveBook(Log(server.home.log), lambda error: None)
    await live.fold.caught_up()
    hooks = Hooks(live, server.home, lambda: "")
    live.followers.append(hooks.follow)
    try:
        position = await do(live, hooks)
        async with asyncio.timeout(30):
            while live.book.hooks.answered.get("tell", 0) < position:
                await asyncio.sleep(0.02)
        return position
    finally:
        await hooks.close()
        live.close()


def test_more_regressed_examples_than_before_are_a_regression(
    server: ServerProcess, book: Guessbook, tmp_path: Path
) -> None:
    configure(server, {"name": "alarm", "events": ["regression"], "command": "true"})
    trainer = ScriptedTrainer(server, tmp_path)
    submit(book, tmp_path)
    answer = book.lease(trainer.name, trainer.epoch)
    trainer.say(
        run_start(4, answer.run, answer.job.id, answer.job.dataset),
        *snapshot(0, [4.0] * 4, [False] * 4, answer.run),
        *snapshot(10, [1.0] * 4, [True] * 4, answer.run),
        *snapshot(20, [1.0] * 4, [True, True, False, False], answer.run),
        *snapshot(30, [1.0] * 4, [True, True, False, False], answer.run),
    )
    trainer.close()
    (event,) = ran(book, "alarm")
    caused = next(iter(book.read(from_position=event.causation, limit=1)))
    assert caused.snapshot_completed.step == 20


class Receiver:
    """A web server that keeps what it is sent. `/moved` sends elsewhere, `/broken` answers 500, `/slow` doesn't answer before it is closed."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self._closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.got.append((self.path, body))
                if self.path == "/slow":
                    receiver._closing.wait()
                self.send_response({"/moved": 302, "/broken": 500}.get(self.path, 200))
                if self.path == "/moved":
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(b"thank you")

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_webhook_gets_the_event(server: ServerProcess, book: Guessbook, tmp_path: Path, receiver: Receiver) -> None:
    configure(
        server,
        {"name": "good", "events": ["job_queued"], "webhook": f"{receiver.url}/good"},
        {"name": "broken", "events": ["job_queued"], "webhook": f"{receiver.url}/broken"},
        {"name": "moved", "events": ["job_queued"], "webhook": f"{receiver.url}/moved"},
        {"name": "slow", "events": ["job_queued"], "webhook": f"{receiver.url}/slow", "timeout_s": 1.0},
        {"name": "nobody", "events": ["job_queued"], "webhook": "http://127.0.0.1:9/"},
    )
    queued = submit(book, tmp_path)
    told = {name: ran(book, name)[0].hook_ran for name in ("good", "broken", "moved", "slow", "nobody")}
    assert [name for name, one in told.items() if one.ok] == ["good"]
    assert told["good"].detail == "200 thank you"
    assert "500" in told["broken"].detail
    assert "302" in told["moved"].detail
    assert "longer than 1 s" in told["slow"].detail
    assert "refused" in told["nobody"].detail
    assert {path for path, _ in receiver.got} == {"/good", "/broken", "/moved", "/slow"}, "no redirection is followed"
    assert all(body["position"] == str(queued.position) for _, body in receiver.got)


def test_a_hook_that_hangs_holds_up_no_stop(server: ServerProcess, book: Guessbook, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    command = f"touch {begun}; sleep 1000"
    configure(server, {"name": "hangs", "events": ["job_queued"], "command": command, "timeout_s": 3600})
    submit(book, tmp_path)
    eventually(begun.exists)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15
    server.start()


def test_config_shows_neither_commands_nor_addresses(server: ServerProcess, book: Guessbook) -> None:
    secret = "https://hooks.example.org/services/T0/secret"
    configure(server, {"name": "chat", "events": ["job_failed"], "webhook": secret})
    shown = book.config().yaml
    assert "secret" not in shown
    assert "https://hooks.example.org/…" in shown
    with pytest.raises(GuessbookError, match="did you mean job_failed"):
        book.request_operation(
            "change-config", argument="hooks: [{name: a, events: [job_faild], command: x}]", reason="t"
        )
