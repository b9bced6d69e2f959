"""The log against a model of it: any sequence of appends, retries, new processes and restarts gives the answers that a few lines of Python give."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import hypothesis.strategies as st
import pytest
from durability.seeds import seed
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from made_events import step

from guessbook.proto.events_pb2 import Event
from guessbook.store import archiving
from guessbook.store.errors import DifferentContent, FencedEpoch, LogError, OutOfOrder, WrongPosition
from guessbook.store.log import Append, Log, Receipt
from guessbook.store.reader import LogReader
from guessbook.store.verify import verify

MAP = 64 * 1024 * 1024
PRODUCERS = ("p", "q")
SUBJECTS = ("run/a", "run/b", "run/b/c")

Fact = tuple[str, int]  # subject, step
Answer = Receipt | type[LogError]


@dataclass
class Model:
    """What the log promises, in memory."""

    facts: list[Fact] = field(default_factory=list)
    epochs: dict[str, int] = field(default_factory=dict)
    batches: dict[str, list[tuple[list[Fact], int]]] = field(default_factory=dict)  # facts and first position

    def join(self, producer: str) -> tuple[int, int]:
        self.epochs[producer] = self.epochs.get(producer, 0) + 1
        return self.epochs[producer], len(self.batches.setdefault(producer, []))

    def append(self, facts: list[Fact], expected: int | None, producer: str, epoch: int, sequence: int) -> Answer:
        if producer:
            stored = self.batches.get(producer, [])
            if epoch != self.epochs.get(producer):  # one that never joined has none
                return FencedEpoch
            if 1 <= sequence <= len(stored):
                same, first = stored[sequence - 1]
                return Receipt(first, len(same), duplicate=True) if same == facts else DifferentContent
            if sequence != len(stored) + 1:
                return OutOfOrder
        if expected is not None and expected != len(self.facts):
            return WrongPosition
        first = len(self.facts) + 1
        if producer:
            self.batches.setdefault(producer, []).append((facts, first))
        self.facts += facts
        return Receipt(first, len(facts))


facts_lists = st.lists(st.tuples(st.sampled_from(SUBJECTS), st.integers(1, 10**6)), min_size=1, max_size=5)


class LogMachine(RuleBasedStateMachine):
    @initialize()
    def create(self) -> None:
        self.folder = TemporaryDirectory()
        self.place = Path(self.folder.name) / "log"
        self.log = Log(self.place, map_bytes=MAP)
        self.model = Model()
        self.clock = 0

    @rule(facts=facts_lists, off=st.none() | st.integers(-2, 2))
    def append(self, facts: list[Fact], off: int | None) -> None:
        expected = None if off is None else max(0, len(self.model.facts) + off)
        self._commit([(facts, expected, "", 0, 0)])

    @rule(producer=st.sampled_from(PRODUCERS))
    def join(self, producer: str) -> None:
        state = self.log.join(producer, 0)
        assert (state.epoch, state.last_sequence) == self.model.join(producer)

    @rule(
        producer=st.sampled_from(PRODUCERS),
        facts=facts_lists,
        older=st.sampled_from([0, 0, 0, 1]),
        ahead=st.sampled_from([1, 1, 1, 0, 2]),
        off=st.sampled_from([None, None, 0, 1]),
    )
    def produce(self, producer: str, facts: list[Fact], older: int, ahead: int, off: int | None) -> None:
        epoch = max(0, self.model.epochs.get(producer, 0) - older)
        sequence = len(self.model.batches.get(producer, [])) + ahead
        expected = None if off is None else len(self.model.facts) + off
        if sequence:
            self._commit([(facts, expected, producer, epoch, sequence)])

    @rule(producer=st.sampled_from(PRODUCERS), data=st.data(), off=st.sampled_from([None, 0, 7]))
    def send_again(self, producer: str, data: st.DataObject, off: int | None) -> None:
        """Whatever its expected position was, a batch that is stored gets its first answer."""
        stored = self.model.batches.get(producer, [])
        if stored:
            sequence = data.draw(st.integers(1, len(stored)))
            self._commit([(stored[sequence - 1][0], off, producer, self.model.epochs.get(producer, 0), sequence)])

    @rule(facts=st.lists(facts_lists, min_size=2, max_size=4), data=st.data())
    def commit_together(self, facts: list[list[Fact]], data: st.DataObject) -> None:
        """A conflict fails only its own append."""
        ahead = data.draw(st.lists(st.none() | st.integers(0, 6), min_size=len(facts), max_size=len(facts)))
        head = len(self.model.facts)
        self._commit(
            [(each, None if off is None else head + off, "", 0, 0) for each, off in zip(facts, ahead, strict=True)]
        )

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = Log(self.place, map_bytes=MAP)

    @precondition(lambda self: self.model.facts)
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        """A part of what is not archived yet, up to the end of a frame. Nothing that is asked later may tell the difference."""
        begin, aside = self.log.archived_to, self.place.parent / "aside"
        self.log.close()
        with LogReader(self.place) as reader:
            ends = [found.last_position for found in reader.frames(begin + 1)]
            aside.mkdir(exist_ok=True)
            told = archiving.write(aside, reader, begin + 1, data.draw(st.sampled_from(ends))) if ends else None
        self.log = Log(self.place, map_bytes=MAP)
        if told:
            self.log.archive_folder.mkdir(exist_ok=True)
            (aside / "archive" / told.file).rename(self.log.archive_folder / told.file)
            self.clock += 1
            event = Event(subject="log", history_archived=told)
            answers, _ = self.log.commit([Append([event], "a", archive=told)], self.clock)
            self.model.facts.append(("log", 0))
            assert answers == [Receipt(len(self.model.facts), 1)]
            while self.log.drop_archived(2):
                pass

    @rule(data=st.data())
    def read_from(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(1, len(self.model.facts) + 2))
        assert self._read(start) == list(enumerate(self.model.facts, start=1))[start - 1 :]

    @rule(
        data=st.data(),
        subjects=st.lists(st.sampled_from([*SUBJECTS, "run/", "run/b/", "none"]), min_size=1, unique=True),
    )
    def read_subjects(self, data: st.DataObject, subjects: list[str]) -> None:
        start = data.draw(st.integers(1, len(self.model.facts) + 2))
        wanted = [
            (position, fact)
            for position, fact in enumerate(self.model.facts, start=1)
            if position >= start and any(fact[0].startswith(s) if s.endswith("/") else fact[0] == s for s in subjects)
        ]
        assert self._read(start, subjects) == wanted

    @invariant()
    def the_head_is_the_last_position(self) -> None:
        if hasattr(self, "log"):
            assert self.log.head.position == len(self.model.facts)

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            verdict = verify(self.place)
            self.folder.cleanup()
            assert verdict.ok, verdict
            assert verdict.head == len(self.model.facts)

    def _commit(self, appends: list[tuple[list[Fact], int | None, str, int, int]]) -> None:
        self.clock += 1
        requests = [
            Append(
                [_event(fact) for fact in facts],
                actor="a",
                expected_position=expected,
                producer=producer,
                epoch=epoch,
                sequence=sequence,
            )
            for facts, expected, producer, epoch, sequence in appends
        ]
        answers, _ = self.log.commit(requests, self.clock)
        wanted = [self.model.append(*append) for append in appends]
        assert [answer if isinstance(answer, Receipt) else type(answer) for answer in answers] == wanted

    def _read(self, start: int, subjects: Sequence[str] = ()) -> list[tuple[int, Fact]]:
        return [
            (event.position, (event.subject, event.step_completed.step)) for event in self.log.read_all(start, subjects)
        ]


def _event(fact: Fact) -> Event:
    made = step(fact[1])
    made.subject = fact[0]
    return made


def test_the_log_answers_as_its_model_does(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = seed(capsys, "stateful model of the log")
    effort = settings(max_examples=80, stateful_step_count=30, deadline=None, print_blob=True, database=None)
    run_state_machine_as_test(hypothesis.seed(chosen)(LogMachine), settings=effort)
