"""One example on its way to an answer. Knows tokens and where they stop, not the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from guessbook.trainer.draft import Drafts
from guessbook.trainer.encoding import IGNORED, Encoded
from guessbook.trainer.losses import Scores


@dataclass(eq=False)
class Row:
    """`last`: its last guess, or empty. `limit`: the most tokens of a guess; 0 if none is wanted. `stops`: tokens that end one.

    `out`: the guess so far, with the probability of each token.
    """

    encoded: Encoded
    last: Sequence[int]
    limit: int
    stops: frozenset[int]
    out: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    loss: float = 0.0
    token_accuracy: float = 0.0
    drafts: Drafts | None = None  # from the first pass on

    def __post_init__(self) -> None:
        self.answer: list[int] = self.encoded.input_ids[self.encoded.prompt_length :].tolist()
        # The answer may be said and not be the end of it, if it was cut.
        self.reads_on = self.limit > len(self.answer) and self.answer[-1] not in self.stops

    @property
    def read(self) -> Sequence[int]:
        """What the first pass reads. Nothing looks at what the last token of an answer gives, but for one that may go on."""
        ids: list[int] = self.encoded.input_ids.tolist()
        return ids if self.reads_on else ids[:-1]

    @property
    def expected(self) -> list[int]:
        """The token that is expected at each place of the first pass that is looked at."""
        return [*self.answer, IGNORED] if self.reads_on else self.answer

    @property
    def length(self) -> int:
        """Of the prompt and of the guess but for its last token, which the model has given and not yet read."""
        return self.encoded.prompt_length + max(len(self.out) - 1, 0)

    @property
    def left(self) -> int:
        """How many tokens may still come."""
        stopped = self.out and self.out[-1] in self.stops
        return 0 if stopped else self.limit - len(self.out)

    def measure(self, scores: Scores) -> None:
        """Takes loss and accuracy from the first pass, and the guess as far as it is the answer."""
        count = len(self.answer)
        self.loss = sum(scores.loss[:count]) / count
        self.token_accuracy = sum(map(int.__eq__, scores.top, self.answer)) / count
        if self.left:
            self.accept(self.answer, scores)

    def accept(self, draft: Sequence[int], scores: Scores) -> int:
        """Goes on as the model does, which has read the draft: each of its tokens counts if the draft was right so far.

        Returns how many tokens of the draft were right.
        """
        right = 0
        for place, (token, probability) in enumerate(zip(scores.top, scores.probability, strict=True)):
            self.out.append(token)
            self.probabilities.append(probability)
            hit = place < len(draft) and draft[place] == token
            right += hit
            if not self.left or not hit:
                break
        return right
