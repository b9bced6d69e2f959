"""What the submit dialog makes of its fields and of a file that a browser sends, and what it shows of a dataset."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict
from starlette.types import Message

from guessbook.clients.dashboard import gate, role
from guessbook.clients.dashboard.training import submit, submit_form, submit_preview, upload
from guessbook.clients.errors import Invalid
from guessbook.proto.control_pb2 import SubmitJobResponse
from guessbook.proto.events_pb2 import LineError, TrainingConfig
from guessbook.server.decide import config as server_config

NOTHING: dict[str, Any] = dict.fromkeys((*submit_form.VALUES, *submit_form.CHECKED), "") | {"snapshots": True}


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[upload.Uploads]:
    left = tmp_path / "uploads" / "of one that was killed"
    left.parent.mkdir()
    left.touch()
    made = upload.Uploads(left.parent, most_bytes=upload.BLOCK + 10)
    assert not left.exists()
    yield made
    made.close()
    assert not made.folder.exists()


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """As on a full disk: a write that comes there writes what there is room for, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


def test_empty_fields_leave_it_to_the_server() -> None:
    assert submit_form.config(NOTHING) == TrainingConfig(snapshots=True)


def test_what_the_fields_show_as_defaults_are_the_servers() -> None:
    assert {name: getattr(server_config.DEFAULTS, name) for name in submit_form.DEFAULTS} == submit_form.DEFAULTS


def test_filled_fields_are_numbers() -> None:
    given = NOTHING | {"learning_rate": " 5e-4 ", "max_steps": "7", "base_model": "m", "snapshots": False}
    assert submit_form.config(given) == TrainingConfig(learning_rate=5e-4, max_steps=7, base_model="m", snapshots=False)


@pytest.mark.parametrize(("field", "text"), [("learning_rate", "much"), ("lora_r", "1.5"), ("max_steps", "-1")])
def test_a_field_that_is_no_such_number_is_named(field: str, text: str) -> None:
    with pytest.raises(Invalid, match=field.replace("_", " ")):
        submit_form.config(NOTHING | {field: text})


def test_an_upload_is_kept_as_it_came(uploads: upload.Uploads) -> None:
    made, size = asyncio.run(uploads.receive(pieces(3, upload.BLOCK)))
    assert size == upload.BLOCK + 3
    with uploads.reading(made) as path:
        assert path.stat().st_size == size


def test_an_upload_that_is_too_large_leaves_nothing(uploads: upload.Uploads) -> None:
    kept, _ = asyncio.run(uploads.receive(pieces(3)))
    with pytest.raises(upload.TooLarge):
        asyncio.run(uploads.receive(pieces(upload.BLOCK, 11)))
    with uploads.reading(kept) as path:
        assert list(path.parent.iterdir()) == [path]


def test_an_upload_that_has_no_room_is_told_and_leaves_nothing(uploads: upload.Uploads) -> None:
    server = FastAPI()
    upload.register(server, uploads)
    send: list[Message] = []

    async def ask() -> None:
        role.asking.set(role.OWNER)
        bodies = iter([{"type": "http.request", "body": b"x" * 3000, "more_body": False}])
        scope = {"type": "http", "method": "POST", "path": gate.STREAMED, "query_string": b"", "headers": []}

        async def receive() -> Message:
            return next(bodies)

        async def answer(message: Message) -> None:
            send.append(message)

        await server(scope, receive, answer)

    with files_end_at(2000):
        asyncio.run(ask())
    assert send[0]["status"] == 507
    assert f"Make room in {uploads.folder}" in json.loads(send[1]["body"])["error"]
    assert not list(uploads.folder.iterdir())


def test_only_the_newest_uploads_are_kept(uploads: upload.Uploads) -> None:
    first, _ = asyncio.run(uploads.receive(pieces(1)))
    for _ in range(upload.KEPT):
        asyncio.run(uploads.receive(pieces(1)))
    with pytest.raises(Invalid, match="not here any more"), uploads.reading(first):
        pass


def test_an_upload_that_is_read_stays_until_it_was(uploads: upload.Uploads) -> None:
    first, _ = asyncio.run(uploads.receive(pieces(1)))
    with uploads.reading(first) as path:
        for _ in range(upload.KEPT + 1):
            asyncio.run(uploads.receive(pieces(1)))
        assert path.read_bytes() == b"x"
    asyncio.run(uploads.receive(pieces(1)))
    assert not path.exists()
    assert len(list(path.parent.iterdir())) == upload.KEPT


@pytest.mark.parametrize("text", ["", "facts.jsonl", "~nobody-of-that-name/facts.jsonl"])
def test_a_typed_path_that_leads_nowhere_is_told(text: str) -> None:
    with pytest.raises(Invalid):
        submit.typed_path(text)


def test_the_rows_are_shown_as_the_job_would_train_them() -> None:
    told = MessageToDict(TrainingConfig(base_model="the server's", max_length=64, learning_rate=2e-4))
    assert submit.chosen_config(told, " ").base_model == "the server's"
    named = submit.chosen_config(told, "another")
    assert (named.base_model, named.max_length, named.learning_rate) == ("another", 64, 2e-4)


def test_bad_lines_are_cut_with_a_count() -> None:
    errors = [LineError(line=line, reason="not JSON") for line in range(1, 101)]
    answer = SubmitJobResponse(lines=200, examples=100, errors=errors, error_count=100)
    told = str(submit_preview.found(answer))
    assert "100 of 200 lines can't be read" in told
    assert "20 of 100 shown" in told


def test_why_a_job_would_be_refused_is_shown_with_what_its_file_holds() -> None:
    report = "facts.jsonl: 4 examples in the chat form.\nIt would be refused: no base model is given. Name one."
    told = str(submit_preview.found(SubmitJobResponse(lines=4, examples=4, report=report)))
    assert "4 examples" in told
    assert "It would be refused: no base model is given. Name one." in told
    assert "refused" not in str(submit_preview.found(SubmitJobResponse(lines=4, examples=4, report="4 examples.")))
