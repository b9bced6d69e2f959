"""Greedy guesses and the measures of expected answers, of many rows in few passes. Knows what is read in which pass, not how rows come in.

The first pass reads prompt and expected answer. It gives the loss, and how far the model would have said just that, with the token that it would have
said instead. From there a guess goes on by drafts: one pass over several tokens tells which of them the model would have said itself. So a guess is what
greedy decoding gives, token for token, but for ties within the rounding of floating-point numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from guessbook.trainer.draft import Drafts, Experience, best_width
from guessbook.trainer.encoding import IGNORED
from guessbook.trainer.forward import Forward
from guessbook.trainer.losses import Scores, scored
from guessbook.trainer.row import Row
from guessbook.trainer.row_cache import RowCache

READ_TOKENS = 4096  # of a first pass
READ_LOGITS = 2**28  # numbers that come out of one
# What a pass costs besides its tokens, in tokens' worth: the weights are read from memory, kernels are started. That is a matter of the machine more than
# of the model. It is fixed and not measured, so that the same run is computed in the same way.
OVERHEAD = {"cpu": 20.0}  # measured: 20 with one thread, 45 with two
OVERHEAD_OF_ACCELERATORS = 500.0
DONE_SHARE = 1 / 8  # as many rows are done: the others go on without them


@dataclass
class Batch:
    """Rows that go through the model together."""

    rows: list[Row]
    cache: RowCache

    def select(self, places: Sequence[int]) -> "Batch":
        rows = [self.rows[place] for place in places]
        longest = max((row.length for row in rows), default=0)
        return Batch(rows, self.cache.select(torch.tensor(places, dtype=torch.long), longest) if rows else self.cache)

    def unfinished(self) -> "Batch":
        return self.select([place for place, row in enumerate(self.rows) if row.left])


class Verifier:
    """Fills rows in. The model must be in eval mode.

    Tokens of guesses since the start: `drafted` were checked, `accepted` of them were right, `decoded` came besides, one a row and pass.
    """

    def __init__(self, forward: Forward) -> None:
        self.drafted = self.accepted = self.decoded = 0
        self._forward = forward
        self._overhead = OVERHEAD.get(forward.device.type, OVERHEAD_OF_ACCELERATORS)
        self._experience = Experience.none()

    @torch.no_grad()
    def fill(self, rows: Sequence[Row]) -> None:
        """Reads all rows, and goes on with those whose guess is not at its end."""
        batches = [batch for some in self._readings(rows) for batch in self._started(self._read(some)) if batch.rows]
        if not batches:
            return
        batch = Batch(
            [row for batch in batches for row in batch.rows], RowCache.joined([batch.cache for batch in batches])
        )
        while batch.rows:
            self._step(batch)
            if sum(not row.left for row in batch.rows) >= len(batch.rows) * DONE_SHARE:
                batch = batch.unfinished()

    def _readings(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Parts for a first pass, of like length and with as many tokens and logits as there may be."""
        some: list[Row] = []
        longest = logits = 0
        for row in sorted(rows, key=lambda row: len(row.read), reverse=True):
            longest = max(longest, len(row.read))
            logits += len(row.expected) * self._forward.vocabulary
            if some and (longest * (len(some) + 1) > READ_TOKENS or logits > READ_LOGITS):
                yield some
                some, longest, logits = [], len(row.read), len(row.expected) * self._forward.vocabulary
            some.append(row)
        if some:
            yield some

    def _read(self, rows: Sequence[Row]) -> Batch:
        logits, cache = self._forward.read([row.read for row in rows], [row.encoded.prompt_length - 1 for row in rows])
        expected = torch.tensor([token for row in rows for token in row.expected], device=logits.device)
        scores = scored(logits, expected)
        for row, own in zip(rows, scores.parts([len(row.expected) for row in rows]), strict=True):
            row.measure(own)
            row.drafts = Drafts(row.last, [row.encoded.prompt.tolist(), row.answer, row.last], self._experience)
        return Batch(list(rows), cache)

    def _started(self, batch: Batch) -> Iterator[Batch]:
        """What is unfinished after the first pass. Those that may repeat their last guess, a long draft, first try that among themselves."""
        repeating: list[int] = []
        others: list[int] = []
        for place, row in enumerate(batch.rows):
            if row.left:
                (repeating if row.drafts and row.drafts.repeat(row.out) else others).append(place)
        yield batch.select(others)
        some = batch.select(repeating)
        if some.rows:
            self._step(some)
            yield some.unfinished()

    def _step(self, batch: Batch) -> None:
        """One pass over each row's last token and a draft of what follows."""
        rows, cache = batch.rows, batch.cache
        drafts, chances = [], []
        for row in rows:
            assert row.drafts
            drafts.append(row.drafts.after(row.out)[: max(row.left - 1, 0)] if row.left else [])
            chances.append(row.drafts.chance)
        width = best_width(drafts, chances, self._overhead)
        fed = [[row.out[-1], *draft[:width]] for row, draft in zip(rows, drafts, strict=True)]
        lengths = [row.length for row in rows]
        logits = self._forward.feed(fed, lengths, cache)
        scores = scored(logits, torch.full(logits.shape[:1], IGNORED, device=logits.device))
        for row, own, tokens in zip(rows, scores.parts([len(tokens) for tokens in fed]), fed, strict=True):
            if row.left:
                self._accept(row, tokens[1:], own)
        cache.settle(max(map(len, fed)), torch.tensor(lengths, device=logits.device), max(row.length for row in rows))

    def _accept(self, row: Row, draft: Sequence[int], scores: Scores) -> None:
        before = len(row.out)
        accepted = row.accept(draft, scores)
        assert row.drafts
        row.drafts.went(len(draft), accepted)
        self.drafted += len(draft)
        self.accepted += accepted
        self.decoded += len(row.out) - before - accepted
