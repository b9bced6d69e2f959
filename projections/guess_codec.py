"""How an event holds guesses in few bytes: each deflated against what its reader knows of the example. Knows bytes and texts, no fold.

Most of a guess stands in its example's last guess, prompt or expected answer. So each is a raw DEFLATE stream (RFC 1951) of UTF-8 with a preset
dictionary, one stream behind the other:

    SAME      no stream: the last guess again, or none was made
    CHANGED   dictionary: prompt, expected answer, last guess
    WHOLE     dictionary: what was WHOLE before it in this event, prompt, expected answer

Of a prompt and of an answer the first 4,096 characters count, of what was WHOLE the last 4 KiB, of all together the last 32 KiB, DEFLATE's window. So
no guess needs another example's but those that stand whole in the same event, and where a stream ends can be told with any dictionary. The CRC-32
over all guesses that have a stream tells where writer and reader know different things: a stream by itself would give a wrong text. SAME is not in it,
and rests on the log's order alone: who reads has the same events before this one as who wrote it. So a writer that isn't sure of the last guess says
WHOLE.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from guessbook.proto.events_pb2 import GUESS_FORM_CHANGED, GUESS_FORM_SAME, GUESS_FORM_WHOLE, DeflatedGuesses

REFERENCE = 4096  # characters of a prompt or an answer; well under what the log keeps of them
WHOLE_BYTES = 4096
WINDOW = 32 * 1024
INFLATED_LIMIT = 8 * 1024 * 1024  # of one event: so much no trainer tells, and a bomb may not take more
_PIECE = 4096
_RAW = -zlib.MAX_WBITS


class UnreadableGuesses(ValueError):
    """The bytes don't give the guesses that were told."""


@dataclass(frozen=True)
class Known:
    """What is known of an example before a guess. `last`: its last guess; None where the writer isn't sure of it."""

    prompt: str
    expected: str
    last: str | None = None

    @property
    def references(self) -> bytes:
        return (self.prompt[:REFERENCE] + self.expected[:REFERENCE]).encode()


def encode(told: Iterable[tuple[Known, str | None]]) -> DeflatedGuesses:
    """The guesses of an event's examples, in their order; None where none was made."""
    coded, streams, window = DeflatedGuesses(), bytearray(), _Window()
    for known, guess in told:
        if guess is None or guess == known.last:
            coded.form.append(GUESS_FORM_SAME)
            continue
        form = GUESS_FORM_WHOLE if known.last is None else GUESS_FORM_CHANGED
        text = guess.encode()
        streams += _deflated(text, window.dictionary(form, known))
        window.add(form, text)
        coded.form.append(form)
        coded.crc32 = zlib.crc32(text, coded.crc32)
    coded.streams = bytes(streams)
    return coded


def decode(coded: DeflatedGuesses, known: Callable[[int], Known]) -> dict[int, str]:
    """The guesses that aren't SAME, by their place in the event. `known` is asked for these places alone, in order.

    Raises UnreadableGuesses.
    """
    guesses, window = dict[int, str](), _Window()
    at, left, crc = 0, INFLATED_LIMIT, 0
    for place, form in enumerate(coded.form):
        if form == GUESS_FORM_SAME:
            continue
        text, at = _inflated(coded.streams, at, window.dictionary(form, known(place)), left)
        window.add(form, text)
        left -= len(text)
        crc = zlib.crc32(text, crc)
        guesses[place] = text.decode(errors="replace")
    if crc != coded.crc32 or at != len(coded.streams):
        raise UnreadableGuesses("its guesses are not those that were told: their checksum is another")
    return guesses


class _Window:
    """What the next stream may refer to."""

    def __init__(self) -> None:
        self._whole = b""

    def dictionary(self, form: int, known: Known) -> bytes:
        """Raises UnreadableGuesses for a form that this program doesn't know."""
        if form == GUESS_FORM_CHANGED:
            return (known.references + (known.last or "").encode())[-WINDOW:]
        if form == GUESS_FORM_WHOLE:
            return (self._whole + known.references)[-WINDOW:]
        raise UnreadableGuesses(f"its guesses have the form {form}, which this version of Guessbook doesn't know")

    def add(self, form: int, text: bytes) -> None:
        if form == GUESS_FORM_WHOLE:
            self._whole = (self._whole + text)[-WHOLE_BYTES:]


def _deflated(text: bytes, dictionary: bytes) -> bytes:
    """Whichever is shorter: zlib's own choice weighs a table against fixed codes block by block, and errs for short texts."""
    made = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED):
        stream = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, strategy, dictionary)
        made.append(stream.compress(text) + stream.flush())
    return min(made, key=len)


def _inflated(streams: bytes, at: int, dictionary: bytes, most: int) -> tuple[bytes, int]:
    """The text of the stream that begins at a place, and where the next one does."""
    stream, text = zlib.decompressobj(_RAW, dictionary), b""
    try:
        while not stream.eof and at < len(streams) and len(text) < most:
            piece = streams[at : at + _PIECE]
            text += stream.decompress(piece, most - len(text))
            at += len(piece) - len(stream.unused_data) - len(stream.unconsumed_tail)
    except zlib.error as error:
        raise UnreadableGuesses(f"its guesses can't be inflated: {error}") from None
    if not stream.eof:
        raise UnreadableGuesses("its guesses end too early, or are longer than an event's may be")
    return text, at
