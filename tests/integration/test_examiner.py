"""The engine on tiny random models: its guesses are those of `generate`, its losses those of a plain pass."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ties import gap_where_they_part
from tiny_model import make_tiny_tokenizer
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.trainer import examiner as examiner_module
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.examiner import Answer, Examiner, Question
from guessbook.trainer.expectation import expectations
from guessbook.trainer.guess import Guesser
from guessbook.trainer.training import add_adapter
from guessbook.trainer.verifying import Verifier

pytestmark = pytest.mark.usefixtures("one_thread")

VOCABULARY = 260
TIE = 1e-4  # logits nearer to each other than this may be told apart either way, by rounding
SIZE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
GATED: dict[str, Any] = SIZE | {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 512}
LLAMA = LlamaConfig(**GATED)
# Each with what the engine makes of it.
MODELS: dict[str, tuple[PreTrainedConfig, Literal["verify", "generate"]]] = {
    "llama": (LLAMA, "verify"),
    "llama, eager attention": (LlamaConfig(**GATED | {"attn_implementation": "eager"}), "verify"),
    "qwen3": (Qwen3Config(**GATED, head_dim=8), "verify"),
    "gpt2, a table of positions": (GPT2Config(**SIZE, n_positions=128), "verify"),
    "opt, positions out of the mask": (OPTConfig(**SIZE, ffn_dim=64, max_position_embeddings=512), "verify"),
    "bloom, distances in place of positions": (BloomConfig(**SIZE), "verify"),
    "gemma3, some layers look back over 256 tokens": (
        Gemma3TextConfig(**GATED, head_dim=8, sliding_window=256),
        "verify",
    ),
    "mistral, looks back over 50 tokens": (MistralConfig(**GATED, sliding_window=50), "verify"),
    "mistral, looks back over 8 tokens": (MistralConfig(**GATED, sliding_window=8), "generate"),
    "mamba, has no keys and values": (MambaConfig(**SIZE, state_size=8), "generate"),
}


def random_model(config: PreTrainedConfig, spread: float = 8.0) -> PreTrainedModel:
    """Its weights are spread so far that it doesn't just repeat its last token."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "mixer" not in name:
                parameter.mul_(spread)
    made: PreTrainedModel = model.eval()
    return made


def make_encoder(stops: Sequence[int] = (1,)) -> Encoder:
    encoder = Encoder(make_tiny_tokenizer(), 128)
    encoder.stop_ids = list(stops)
    return encoder


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return random_model(LLAMA)


def encoded(prompt: Iterable[int], answer: Iterable[int], index: int = 0) -> Encoded:
    given, expected = list(prompt), list(answer)
    return Encoded(index, np.array(given + expected, dtype=np.int32), len(given), truncated=False)


def alone(model: PreTrainedModel, encoder: Encoder, question: Question) -> Answer:
    """What `generate` and a plain pass give for this question by itself."""
    (guess,) = Guesser(model, encoder).guess([question.encoded], [question.limit])
    (expectation,) = expectations(model, [question.encoded], encoder.pad_id)
    return Answer(guess if question.guess else None, expectation)


def assert_alike(model: PreTrainedModel, question: Question, answer: Answer, plain: Answer) -> None:
    assert answer.expectation.loss == pytest.approx(plain.expectation.loss, abs=1e-4)
    assert (answer.guess is None) is (plain.guess is None)
    if not answer.guess or not plain.guess:
        return
    if answer.guess.tokens != plain.guess.tokens:
        assert gap_where_they_part(model, question.encoded, answer.guess.tokens, plain.guess.tokens) < TIE
        return
    assert answer.guess.text == plain.guess.text
    assert answer.guess.confidence == pytest.approx(plain.guess.confidence, abs=1e-4)
    assert answer.expectation.token_accuracy == pytest.approx(plain.expectation.token_accuracy)


def examined(model: PreTrainedModel, encoder: Encoder, questions: Sequence[Question]) -> list[Answer]:
    answers = dict(Examiner(model, encoder).examine(questions))
    assert sorted(answers) == list(range(len(questions)))
    return [answers[place] for place in range(len(questions))]


def tokens_of(answer: Answer) -> tuple[int, ...]:
    assert answer.guess
    return answer.guess.tokens


tokens = st.integers(2, VOCABULARY - 1)


@st.composite
def a_question(draw: st.DrawFn) -> tuple[Question, int, list[int]]:
    """A question; how many tokens of the true guess its answer and its draft begin with, and what they go on with, is told apart."""
    prompt = draw(st.lists(tokens, min_size=1, max_size=20))
    limit = draw(st.integers(1, 16))
    question = Question(
        encoded(prompt, draw(st.lists(tokens, min_size=1, max_size=12))), limit, (), draw(st.booleans())
    )
    return question, draw(st.integers(0, 16)), draw(st.lists(tokens, max_size=10))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(a_question(), min_size=1, max_size=7),
    stops=st.lists(tokens, min_size=1, max_size=40),
    kind=st.sampled_from(["nothing known", "draft", "answer", "both"]),
)
def test_guesses_are_those_of_generate(
    model: PreTrainedModel, asked: list[tuple[Question, int, list[int]]], stops: list[int], kind: str
) -> None:
    """Whatever is drafted: nothing, the true guess, one that turns wrong, one that is too long, any rubbish."""
    encoder = make_encoder(stops)
    questions = []
    for question, right, rest in asked:
        (true,) = Guesser(model, encoder).guess([question.encoded], [question.limit])
        near = [*true.tokens[:right], *rest]
        answer = (
            near
            if near and kind in ("answer", "both")
            else question.encoded.input_ids[question.encoded.prompt_length :]
        )
        draft = tuple(near) if kind in ("draft", "both") else ()
        questions.append(dataclasses.replace(question, encoded=encoded(question.encoded.prompt, answer), draft=draft))
    for question, found in zip(questions, examined(model, encoder, questions), strict=True):
        assert_alike(model, question, found, alone(model, encoder, question))


def some_questions(count: int = 6) -> list[Question]:
    generator = np.random.default_rng(5)
    return [
        Question(
            encoded(generator.integers(2, VOCABULARY, 3 + 2 * i), generator.integers(2, VOCABULARY, 2 + i), i), 12 + i
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_any_causal_model_gives_what_generate_gives(name: str) -> None:
    config, engine = MODELS[name]
    model, encoder = random_model(config), make_encoder()
    examiner = Examiner(model, encoder)
    assert (examiner.engine, bool(examiner.engine_reason)) == (engine, engine == "generate")
    questions = some_questions()
    first = dict(examiner.examine(questions))
    again = [
        dataclasses.replace(one, draft=tokens_of(first[place])[: 5 + place]) for place, one in enumerate(questions)
    ]
    for answers in (first, dict(examiner.examine(again))):
        for place, question in enumerate(questions):
            assert_alike(model, question, answers[place], alone(model, encoder, question))


def test_a_model_that_refuses_to_go_on_from_a_cache_is_found_out() -> None:
    model: Any = random_model(LLAMA)
    forward = model.forward

    def refuses(**inputs: Any) -> Any:
        if len(inputs.get("past_key_values") or ()):
            raise NotImplementedError("this one starts anew each time")
        return forward(**inputs)

    model.forward = refuses
    examiner = Examiner(model, make_encoder())
    assert examiner.engine == "generate"
    assert "this one starts anew each time" in examiner.engine_reason


def test_a_model_that_ignores_what_is_masked_is_found_out() -> None:
    model: Any = random_model(LLAMA)
    forward = model.forward

    def sees_all(**inputs: Any) -> Any:
        mask = inputs.get("attention_mask")
        return forward(**inputs | {"attention_mask": None if mask is None else torch.ones_like(mask)})

    model.forward = sees_all
    examiner = Examiner(model, make_encoder())
    assert examiner.engine == "generate"
    assert "masked" in examiner.engine_reason


def test_with_an_adapter_and_in_half_precision() -> None:
    torch.manual_seed(0)
    base = random_model(LLAMA, spread=3.0).to(torch.bfloat16)  # type: ignore[arg-type]
    model: Any = add_adapter(base, TrainingConfig(lora_r=4, lora_alpha=8, lora_dropout=0.1, seed=1)).eval()
    encoder = make_encoder()
    examiner = Examiner(model, encoder)
    assert examiner.engine == "verify"
    answers = dict(examiner.examine(some_questions()))
    for place, question in enumerate(some_questions()):
        plain, answer = alone(model, encoder, question), answers[place]
        assert answer.expectation.loss == pytest.approx(plain.expectation.loss, rel=0.02)
        assert answer.guess
        assert plain.guess
        assert answer.guess.tokens[:1] == plain.guess.tokens[:1]


def test_what_is_known_already_is_not_decoded(model: PreTrainedModel) -> None:
    examiner = Examiner(model, make_encoder())
    questions = some_questions()
    first = dict(examiner.examine(questions))
    decoded = examiner.decoded
    assert decoded
    drafts = [dataclasses.replace(one, draft=tokens_of(first[place])) for place, one in enumerate(questions)]
    assert [tokens_of(answer) for answer in dict(examiner.examine(drafts)).values()] == list(
        map(tokens_of, first.values())
    )
    assert examiner.accepted > 0
    assert examiner.decoded < decoded / 3


def test_a_batch_that_does_not_fit_into_memory_is_halved(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[int] = []

    class Cramped(Verifier):
        def fill(self, rows: Sequence[Any]) -> None:
            sizes.append(len(rows))
            if len(rows) > 3:
                raise torch.OutOfMemoryError("no room for more than three")
            super().fill(rows)

    questions = some_questions(7)
    plenty = examined(model, make_encoder(), questions)
    monkeypatch.setattr(examiner_module, "Verifier", Cramped)
    cramped = examined(model, make_encoder(), questions)
    assert list(map(tokens_of, cramped)) == list(map(tokens_of, plenty))
    assert sizes[:2] == [7, 3]
    assert "no memory for 7 examples" in caplog.text


def test_if_not_even_one_fits_that_is_an_error(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Verifier):
        def fill(self, rows: Sequence[Any]) -> None:
            raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(examiner_module, "Verifier", Full)
    with pytest.raises(torch.OutOfMemoryError):
        examined(model, make_encoder(), some_questions())


def test_making_one_leaves_no_trace_in_the_model() -> None:
    model = random_model(LLAMA).train()
    generation = model.generation_config
    state = torch.random.get_rng_state()
    Examiner(model, make_encoder())
    assert model.training
    assert model.generation_config is generation
    assert torch.equal(torch.random.get_rng_state(), state)
