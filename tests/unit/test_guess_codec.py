"""Guesses in few bytes: what goes in comes out, the bytes of before stay readable, and nothing wrong comes out of damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.projections import guess_codec
from guessbook.projections.guess_codec import Known, UnreadableGuesses, decode, encode
from guessbook.proto.events_pb2 import GUESS_FORM_CHANGED, GUESS_FORM_SAME, GUESS_FORM_WHOLE, DeflatedGuesses

PROMPT = "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes. How much did she earn?"
EXPECTED = "Weng earns 12/60 = $0.2 per minute. Working 50 minutes, she earned 0.2 x 50 = $10."
WRONG = "Weng earns $12 an hour. She earned 12 x 50 = $600."

texts = st.text(max_size=40) | st.sampled_from([PROMPT, EXPECTED, WRONG])
known = st.builds(Known, texts, texts, st.none() | texts)


def read_back(coded: DeflatedGuesses, knowns: list[Known]) -> list[str]:
    guesses = decode(coded, knowns.__getitem__)
    return [guesses.get(place, one.last or "") for place, one in enumerate(knowns)]


@given(st.lists(st.tuples(known, st.none() | texts), max_size=8))
def test_what_goes_in_comes_out(told: list[tuple[Known, str | None]]) -> None:
    coded = DeflatedGuesses.FromString(encode(told).SerializeToString())
    expected = [(one.last or "") if guess is None else guess for one, guess in told]
    assert read_back(coded, [one for one, _ in told]) == expected


def test_each_form_says_what_it_needs() -> None:
    new, again, other = Known("", ""), Known(PROMPT, EXPECTED, WRONG), Known(PROMPT, EXPECTED, "")
    coded = encode([(new, WRONG), (again, WRONG), (again, EXPECTED), (again, None), (new, None), (other, "")])
    assert list(coded.form) == [
        GUESS_FORM_WHOLE,
        GUESS_FORM_SAME,
        GUESS_FORM_CHANGED,
        GUESS_FORM_SAME,
        GUESS_FORM_SAME,
        GUESS_FORM_SAME,
    ]


def test_a_guess_that_became_the_expected_answer_takes_a_few_bytes() -> None:
    assert len(encode([(Known(PROMPT, EXPECTED, WRONG), EXPECTED)]).streams) < 8


def test_first_guesses_are_told_by_those_before_them_in_the_event() -> None:
    alone = len(encode([(Known("", ""), WRONG)]).streams)
    assert len(encode([(Known("", ""), WRONG), (Known("", ""), WRONG + "!")]).streams) < alone + 10


def test_a_guess_needs_no_other_examples_last_guess() -> None:
    told = [(Known("a", "b", "one"), "one more"), (Known(PROMPT, EXPECTED, WRONG), EXPECTED)]
    alone = [encode([one]).streams for one in told]
    assert encode(told).streams == b"".join(alone)


def test_long_texts_count_with_their_window_alone() -> None:
    long = Known("p" * 100_000, "e" * 100_000, "ä" * 30_000)
    told: list[tuple[Known, str | None]] = [(long, "ä" * 30_000 + "!"), (Known("", ""), "w" * 60_000)]
    told += [(Known("x" * 9000, "y" * 9000), "z")]
    assert read_back(encode(told), [one for one, _ in told]) == [guess for _, guess in told]


def test_what_was_written_once_is_read_for_ever() -> None:
    """Bytes of the first version. Another zlib may write others; all must read these."""
    knowns = [Known(PROMPT, EXPECTED), Known(PROMPT, EXPECTED, WRONG), Known(PROMPT, EXPECTED, WRONG)]
    coded = DeflatedGuesses(
        form=[GUESS_FORM_WHOLE, GUESS_FORM_CHANGED, GUESS_FORM_SAME],
        streams=bytes.fromhex("0bc7ea663d8560840e4384063303033d00a3be1b00"),
        crc32=1845717589,
    )
    assert decode(coded, knowns.__getitem__) == {0: WRONG, 1: EXPECTED}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Known(PROMPT, EXPECTED, WRONG.replace("Weng", "Ming")), "another"),
        (Known("", "", ""), "inflated|another"),
    ],
)
def test_who_knows_other_things_reads_nothing_wrong(other: Known, message: str) -> None:
    coded = encode([(Known(PROMPT, EXPECTED, WRONG), "Weng earns $12 an hour.")])
    with pytest.raises(UnreadableGuesses, match=message):
        decode(coded, lambda place: other)


def test_damage_is_told() -> None:
    one = Known(PROMPT, EXPECTED, WRONG)
    coded = encode([(one, "Weng is rich.")])
    damaged = {
        "too early": DeflatedGuesses(form=coded.form, streams=coded.streams[:-1], crc32=coded.crc32),
        "another": DeflatedGuesses(form=coded.form, streams=coded.streams + b"!", crc32=coded.crc32),
        "form 9": DeflatedGuesses.FromString(b"\x0a\x01\x09" + coded.SerializeToString()[3:]),
    }
    for message, wrong in damaged.items():
        with pytest.raises(UnreadableGuesses, match=message):
            decode(wrong, lambda place: one)


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess_codec, "INFLATED_LIMIT", 100_000)
    told = [(Known("", ""), "a" * 60_000), (Known("", ""), "b" * 60_000)]
    with pytest.raises(UnreadableGuesses, match="longer than"):
        decode(encode(told), lambda place: Known("", ""))
