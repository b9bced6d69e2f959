import pytest
from tiny_model import END, make_tiny_tokenizer

from guessbook.store.dataset import Example, Turn
from guessbook.trainer.encoding import IGNORED, Collator, Encoded, Encoder
from guessbook.trainer.errors import UnusableExample, UnusableModel


def chat(prompt: str, expected: str) -> Example:
    return Example(3, "id", prompt, expected, turns=(Turn("user", prompt),))


def split(encoder: Encoder, encoded: Encoded) -> tuple[str, str]:
    """Prompt and answer as text, special tokens included."""
    answer = encoded.input_ids[encoded.prompt_length :]
    return encoder.tokenizer.decode(encoded.prompt), encoder.tokenizer.decode(answer)  # type: ignore[return-value]


def test_a_chat_is_rendered_with_the_template_and_ends_with_its_end_of_turn() -> None:
    encoder = Encoder(make_tiny_tokenizer(), 128)
    encoded = encoder.encode(chat("2+2?", "4"))
    assert split(encoder, encoded) == ("<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n", "4<|im_end|>")
    assert not encoded.truncated
    assert encoded.index == 3


def test_stop_tokens_are_the_end_of_turn_and_the_eos() -> None:
    tokenizer = make_tiny_tokenizer()
    assert Encoder(tokenizer, 128).stop_ids == [tokenizer.convert_tokens_to_ids(END), tokenizer.eos_token_id]
    tokenizer.chat_template = None
    assert Encoder(tokenizer, 128).stop_ids == [tokenizer.eos_token_id]


def test_prompt_and_completion_are_one_behind_the_other() -> None:
    encoder = Encoder(make_tiny_tokenizer(), 128)
    encoded = encoder.encode(Example(0, "", "The sky is", " blue."))
    assert split(encoder, encoded) == ("The sky is", " blue.<|endoftext|>")


def test_without_a_template_a_chat_becomes_prompt_newline_answer() -> None:
    encoder = Encoder(make_tiny_tokenizer(chat=False), 128)
    assert split(encoder, encoder.encode(chat("2+2?", "4"))) == ("2+2?\n", "4<|endoftext|>")


def test_of_plain_text_the_first_token_is_given() -> None:
    encoder = Encoder(make_tiny_tokenizer(), 128)
    assert split(encoder, encoder.encode(Example(0, "", "", "abc"))) == ("a", "bc<|endoftext|>")


@pytest.mark.parametrize(
    ("max_length", "prompt", "answer"),
    [(9, "abcde", "xyz<|endoftext|>"), (8, "abcde", "xyz"), (6, "abcde", "x"), (5, "bcde", "x"), (2, "e", "x")],
)
def test_what_is_too_long_is_cut_and_never_dropped(max_length: int, prompt: str, answer: str) -> None:
    encoder = Encoder(make_tiny_tokenizer(), max_length)
    encoded = encoder.encode(Example(0, "", "abcde", "xyz"))
    assert split(encoder, encoded) == (prompt, answer)
    assert encoded.truncated == (max_length < 9)
    assert encoded.answer_cut == (max_length < 9)
    assert len(encoded.input_ids) == max_length


def test_a_prompt_that_is_cut_alone_leaves_its_answer_whole_and_plain_text_has_none() -> None:
    encoder = Encoder(make_tiny_tokenizer(), 8)
    only_prompt = encoder.encode(Example(0, "", "abcdefghijk", ""))
    assert (only_prompt.truncated, only_prompt.answer_cut) == (True, False)
    text = encoder.encode(Example(1, "", "", "abcdefghijk"))
    assert (text.truncated, text.answer_cut) == (True, False)


def test_a_tokenizer_without_eos_is_refused() -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(UnusableModel, match="EOS"):
        Encoder(tokenizer, 128)


def test_an_example_the_template_refuses_is_named() -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}x"
    encoder = Encoder(tokenizer, 128)
    with pytest.raises(UnusableExample, match=r"example 7 \(seven\): no system"):
        encoder.encode(Example(7, "seven", "", "4", turns=(Turn("system", "s"), Turn("user", "2+2?"))))


def test_a_batch_is_padded_on_the_right_and_trains_answers_only() -> None:
    encoder = Encoder(make_tiny_tokenizer(), 128)
    short, long = encoder.encode(Example(0, "", "a", "b")), encoder.encode(Example(1, "", "abc", "de"))
    batch = Collator(encoder.pad_id)([short, long])
    eos = encoder.tokenizer.eos_token_id
    b, d, e = (encoder.tokenizer.convert_tokens_to_ids(token) for token in "bde")
    assert batch["labels"].tolist() == [
        [IGNORED, b, eos, IGNORED, IGNORED, IGNORED],
        [IGNORED, IGNORED, IGNORED, d, e, eos],
    ]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert batch["input_ids"][0, 3:].tolist() == [encoder.pad_id] * 3
    assert batch["index"].tolist() == [0, 1]
