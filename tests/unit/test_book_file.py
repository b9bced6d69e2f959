"""Books in a file: what is read is what was written, byte for byte, and a file that isn't whole or names anything else than books is refused."""

import hashlib
import io
import os
import pickle
from pathlib import Path

import pytest
from book_content import content
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_events import JOB, RUN, beginning, numbered, snapshot, step

from guessbook.projections import book as book_fold
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.server import book_file
from guessbook.server.book_file import BadBooks


def _log(steps: int) -> list[Event]:
    events = [*beginning(3), *snapshot(0, [4.0, 3.0, 2.0], [False, True, False])]
    for number in range(1, steps + 1):
        events.append(step(number, examples=[0, 2], losses=[3.0, 2.0]))
        if number % 4 == 0:
            events += snapshot(number, [3.0 / number, 2.0, 0.1], [number > 5, False, True])
    return events


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(steps=st.integers(0, 20), cuts=st.lists(st.integers(0, 60), min_size=1, max_size=4), back=st.integers(0, 20))
def test_what_is_read_is_what_was_written_and_folds_on_as_if_it_had_never_left(
    tmp_path: Path, steps: int, cuts: list[int], back: int
) -> None:
    resumed = Event(subject=f"job/{JOB}", job_resumed=e.JobResumed(run=RUN, step=back))
    events = numbered([*_log(steps), resumed, *_log(steps)[5:]])
    cuts = sorted({min(cut, len(events)) for cut in cuts})
    book, books = book_fold.fold([]), []
    for cut in cuts:
        book = book_fold.fold(events[book.position : cut], book)
        books.append(book.fork())
    book_file.write(tmp_path / "books", books, "log", b"\1" * 32)
    assert book_file.facts(tmp_path / "books").position == cuts[-1]
    for read, cut in zip(book_file.read(tmp_path / "books"), cuts, strict=True):
        assert content(read) == content(book_fold.fold(events[:cut]))
        later = book_fold.fold(events[cut:], read.fork())
        assert content(later) == content(book_fold.fold(events))
        assert content(read) == content(book_fold.fold(events[:cut]))  # which its fork has not changed


def _file(folder: Path) -> Path:
    place = folder / "books"
    book_file.write(place, [book_fold.fold(numbered(_log(5)))], "log", b"\1" * 32)
    return place


@pytest.mark.parametrize("part", [0.0, 0.01, 0.05, 0.3, 0.7, 0.9999])
def test_a_flipped_bit_is_found(tmp_path: Path, part: float) -> None:
    place = _file(tmp_path)
    data = bytearray(place.read_bytes())
    data[int(part * len(data))] ^= 0x10
    place.write_bytes(data)
    with pytest.raises(BadBooks):
        book_file.facts(place)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.5, 0.9999])
def test_a_torn_file_is_found(tmp_path: Path, part: float) -> None:
    place = _file(tmp_path)
    data = place.read_bytes()
    place.write_bytes(data[: int(part * len(data))])
    with pytest.raises(BadBooks):
        book_file.facts(place)


class _Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    "harm",
    [
        pickle.dumps(_Harm(), 5),
        b"cos\nmkdir\n(S'harm'\ntR.",
        b"\x80\x04\x8c\x1aguessbook.projections.jobs\x8c\x0dcopy.deepcopy\x93.",
        b"cguessbook.projections.book\nfold\n.",
        b"cbuiltins\neval\n(S'1'\ntR.",
    ],
)
def test_a_file_whose_sum_is_right_can_make_books_wrong_and_nothing_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    place = _file(tmp_path)
    rest = place.read_bytes()[36:].split(b"\n", 1)[0] + b"\n" + harm
    place.write_bytes(book_file.MAGIC + hashlib.sha256(rest).digest() + rest)
    book_file.facts(place)
    with pytest.raises(BadBooks, match="which no book is made of"):
        book_file.read(place)
    assert sorted(tmp_path.iterdir()) == [place]


def test_something_else_than_books_is_refused(tmp_path: Path) -> None:
    place = _file(tmp_path)
    place.write_bytes(place.read_bytes()[:36] + b"{}\n" + pickle.dumps([1, 2]))
    with pytest.raises(BadBooks, match="holds no books"):
        book_file.read(place)


def test_books_share_in_the_file_what_they_share(tmp_path: Path) -> None:
    events = numbered(_log(0) + [step(number, examples=[0, 2], losses=[1.0, 2.0]) for number in range(1, 9000)])
    book, books = book_fold.fold([]), []
    for cut in range(1000, len(events), 400):
        book = book_fold.fold(events[book.position : cut], book)
        books.append(book.fork())
    book_file.write(tmp_path / "all", books, "log", b"")
    book_file.write(tmp_path / "one", books[-1:], "log", b"")
    apart = io.BytesIO()
    for one in books:
        pickle.Pickler(apart, 5).dump(one)
    assert (tmp_path / "all").stat().st_size < apart.tell() / 1.5
