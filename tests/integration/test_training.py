"""The trainer room on a tiny model: what is promised of training, snapshots, checkpoints and versions."""

import random
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from assigned import EXAMPLES, STEPS, Book, adapter, assert_identical, assign, losses_in, tiny_config
from peft import PeftModel
from transformers import AutoModelForCausalLM, Trainer, set_seed

from guessbook.proto.events_pb2 import Event, SnapshotRequested
from guessbook.proto.history_pb2 import Job
from guessbook.store.artifacts import Artifacts
from guessbook.store.home import Home
from guessbook.trainer.base_model import load_base_model
from guessbook.trainer.encoding import Collator, Encoded, Encoder
from guessbook.trainer.examiner import Examiner
from guessbook.trainer.expectation import expectations
from guessbook.trainer.guess import Guesser
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.training import ExampleLossTrainer, add_adapter, training_arguments
from guessbook.trainer.undisturbed import undisturbed

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Home, Book]:
    """A whole run with snapshots, from start to end."""
    home, book = Home(tmp_path_factory.mktemp("whole")), Book()
    assert assign(home, model_folder, tiny_config(), book).carry_out() == (Ending.COMPLETED, 0)
    return home, book


# ---- what a run records ----


def test_events_come_in_the_order_of_the_design(undisturbed_run: tuple[Home, Book]) -> None:
    names = undisturbed_run[1].names()
    snapshot = ["snapshot_started", "examples_observed", "snapshot_completed"]
    step = ["step_completed"]
    expected = ["run_started", "job_started", *snapshot, *step * 2, *snapshot, *step * 2, "checkpoint_saved", *step]
    expected += [*snapshot, *step * 3, "checkpoint_saved", *step, *snapshot, "checkpoint_saved", "version_created"]
    assert names == expected


def test_run_started_tells_what_is_trained(undisturbed_run: tuple[Home, Book]) -> None:
    (started,) = undisturbed_run[1].bodies("run_started")
    assert (started.total_steps, started.examples, list(started.tracked)) == (STEPS, 10, list(range(10)))
    assert 0 < started.trainable_parameters < started.parameters
    assert started.device
    assert len(started.base_model_sha256) == 64


def test_each_step_tells_its_examples_and_their_losses(undisturbed_run: tuple[Home, Book]) -> None:
    steps = undisturbed_run[1].bodies("step_completed")
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert [len(step.example_index) for step in steps] == [6, 4] * 4 + [6]
    for epoch in range(4):
        visited = [*steps[2 * epoch].example_index, *steps[2 * epoch + 1].example_index]
        assert sorted(visited) == list(range(10))
    # The step's loss is the mean over its trained tokens, so an example counts by the length of its answer.
    tokens = {example.index: len(example.expected) + 1 for example in EXAMPLES}
    for step in steps:
        weights = [tokens[index] for index in step.example_index]
        mean = sum(w * loss for w, loss in zip(weights, step.example_loss, strict=True)) / sum(weights)
        assert step.loss == pytest.approx(mean, rel=1e-3)  # what is recorded of an example's loss has 3 digits
    # Warm-up over two steps (20 % of 9, rounded up), then linear decay.
    assert [step.learning_rate for step in steps[:4]] == pytest.approx([0.0, 0.005, 0.01, 0.01 * 6 / 7])
    assert all(step.grad_norm > 0.3 for step in steps[:2])  # before clipping to 0.3
    assert all(step.tokens_per_second > 0 for step in steps)
    assert steps[-1].epoch == pytest.approx(4.5)


def test_snapshots_hold_every_tracked_example_once(undisturbed_run: tuple[Home, Book]) -> None:
    book = undisturbed_run[1]
    assert [(s.step, s.reason, s.examples) for s in book.bodies("snapshot_started")] == [
        (0, "schedule", 10),
        (2, "schedule", 10),
        (5, "schedule", 10),
        (STEPS, "end", 10),
    ]
    assert {s.engine for s in book.bodies("snapshot_started")} <= {"verify", "generate"}
    for observed, completed in zip(book.bodies("examples_observed"), book.bodies("snapshot_completed"), strict=True):
        assert list(observed.example_index) == list(range(10))
        assert completed.mean_loss == pytest.approx(
            sum(losses_in(observed)) / 10, rel=1e-3
        )  # 3 digits of each are recorded
        assert completed.correct == sum(observed.correct)
        assert (completed.examples, completed.guessed, completed.held_out) == (10, 10, 0)
    losses = [completed.mean_loss for completed in book.bodies("snapshot_completed")]
    assert losses == sorted(losses, reverse=True)


# ---- what a snapshot measures ----


def plain_model(model_folder: Path, home: Path) -> tuple[PeftModel, Encoder, list[Encoded]]:
    base = load_base_model(str(model_folder), "float32", home)
    encoder = Encoder(base.tokenizer, 64)
    model = add_adapter(base.model, tiny_config())
    model.train(mode=False)
    return model, encoder, [encoder.encode(example) for example in EXAMPLES]


def test_a_guess_is_the_arg_max_token_by_token(model_folder: Path, tmp_path: Path) -> None:
    model, encoder, encoded = plain_model(model_folder, tmp_path)
    model.generation_config.update(repetition_penalty=3.0, do_sample=True, temperature=2.0)  # is not asked
    guesses = Guesser(model, encoder).guess(encoded, [5 + example.index % 4 for example in encoded])
    for example, guess in zip(encoded, guesses, strict=True):
        ids, probabilities = example.prompt.tolist(), []
        for _ in range(5 + example.index % 4):
            with torch.no_grad():
                last = model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)
            ids.append(int(last.argmax()))
            probabilities.append(float(last.max()))
            if ids[-1] in encoder.stop_ids:
                break
        assert guess.text == encoder.tokenizer.decode(ids[example.prompt_length :], skip_special_tokens=True)
        assert guess.confidence == pytest.approx(sum(probabilities) / len(probabilities), rel=1e-4)


def test_a_guess_ends_with_the_first_stop_token(model_folder: Path, tmp_path: Path) -> None:
    model, encoder, encoded = plain_model(model_folder, tmp_path)
    (free,) = Guesser(model, encoder).guess(encoded[:1], [4])
    tokens = encoder.tokenizer(free.text, add_special_tokens=False).input_ids
    encoder.stop_ids = [tokens[0]]
    (stopped,) = Guesser(model, encoder).guess(encoded[:1], [4])
    assert len(tokens) == 4
    assert encoder.tokenizer(stopped.text, add_special_tokens=False).input_ids == tokens[:1]


def test_expectations_do_not_depend_on_the_batch(model_folder: Path, tmp_path: Path) -> None:
    model, encoder, encoded = plain_model(model_folder, tmp_path)
    together = expectations(model, encoded, encoder.pad_id)
    for example, expected in zip(encoded, together, strict=True):
        ids = torch.from_numpy(example.input_ids.astype(np.int64))[None]
        labels = ids.clone()
        labels[:, : example.prompt_length] = -100
        with torch.no_grad():
            output = model(input_ids=ids, labels=labels)
        assert expected.loss == pytest.approx(float(output.loss), rel=1e-5)
        hits = output.logits[0, example.prompt_length - 1 : -1].argmax(-1) == ids[0, example.prompt_length :]
        assert expected.token_accuracy == pytest.approx(float(hits.float().mean()))


# ---- a snapshot leaves no trace ----


def test_weights_are_bit_identical_with_snapshots_on_and_off(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, book = Home(tmp_path), Book()
    assign(home, model_folder, tiny_config(snapshots=False), book).carry_out()
    assert "snapshot_started" not in book.names()
    assert book.bodies("version_created")[0].baseline_accuracy == -1
    assert_identical(adapter(*undisturbed_run), adapter(home, book))


def test_undisturbed_restores_random_states_modes_and_cache_use(model_folder: Path, tmp_path: Path) -> None:
    model, _, _ = plain_model(model_folder, tmp_path)
    model.train()
    next(iter(model.children())).eval()  # a mixed state, as some training code leaves it
    modes = [module.training for module in model.modules()]
    model.config.use_cache = False
    base: Any = model.get_base_model()
    base.generation_config.update(do_sample=True, temperature=2.0)
    settings = base.generation_config

    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    def disturb() -> None:
        with undisturbed(model):
            draws()
            assert not any(module.training for module in model.modules())
            model.config.use_cache = True
            assert not base.generation_config.do_sample
            base.generation_config = model.generation_config = None  # type: ignore[assignment]
            raise RuntimeError("on the way")

    set_seed(1)
    expected = draws()
    set_seed(1)
    with pytest.raises(RuntimeError, match="on the way"):
        disturb()
    assert draws() == expected
    assert [module.training for module in model.modules()] == modes
    assert model.config.use_cache is False
    assert base.generation_config is settings is model.generation_config


def test_a_snapshot_that_fails_is_recorded_and_training_goes_on(
    undisturbed_run: tuple[Home, Book],
    model_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Examiner, "examine", full)
    home, book = Home(tmp_path), Book()
    assert assign(home, model_folder, tiny_config(snapshot_steps=[99]), book).carry_out() == (Ending.COMPLETED, 0)
    failed = book.bodies("snapshot_failed")
    assert [event.step for event in failed] == [0, STEPS]
    assert all("OutOfMemoryError: CUDA out of memory" in event.error for event in failed)
    assert "training goes on" in caplog.text
    assert book.bodies("version_created")[0].final_accuracy == -1
    assert_identical(adapter(*undisturbed_run), adapter(home, book))


# ---- the optimized loss ----


def test_the_optimized_loss_is_that_of_a_plain_trainer(model_folder: Path, tmp_path: Path) -> None:
    base = load_base_model(str(model_folder), "float32", tmp_path)
    encoder = Encoder(base.tokenizer, 64)
    encoded = [encoder.encode(example) for example in EXAMPLES]
    arguments = training_arguments(tiny_config(), STEPS, tmp_path)

    class WithoutIndex(Collator):
        def __call__(self, examples: Iterable[Encoded]) -> dict[str, torch.Tensor]:
            batch = super().__call__(list(examples))
            del batch["index"]
            return batch

    ours, plain = (
        add_adapter(AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32), tiny_config())
        for _ in range(2)
    )
    ExampleLossTrainer(ours, arguments, encoded, encoder.pad_id).train()
    collator = WithoutIndex(encoder.pad_id)
    Trainer(model=plain, args=arguments, train_dataset=encoded, data_collator=collator).train()
    for (name, one), other in zip(ours.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_a_snapshot_is_taken_when_asked_for(model_folder: Path, tmp_path: Path) -> None:
    orders = Orders(Job(), threading.Event())

    def ask(event: Event) -> None:
        if event.step_completed.step == 6:
            orders.apply(Event(position=55, snapshot_requested=SnapshotRequested()))

    book = Book(ask)
    assign(Home(tmp_path), model_folder, tiny_config(), book, orders).carry_out()
    (event,) = [event for event in book.events if event.snapshot_started.reason == "request"]
    assert (event.snapshot_started.step, event.causation) == (6, 55)


def test_what_must_stop_training_stops_it_before_the_next_step(model_folder: Path, tmp_path: Path) -> None:
    book = Book()
    job = assign(Home(tmp_path), model_folder, tiny_config(), book)

    def check() -> None:
        if len(book.bodies("step_completed")) == 2:
            raise PermissionError("another process took over")

    job.check = check
    with pytest.raises(PermissionError):
        job.carry_out()
    assert len(book.bodies("step_completed")) == 2


# ---- the version ----


# peft 0.21 asks transformers 5.23 for an attribute by its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_version_loads_with_plain_peft(
    undisturbed_run: tuple[Home, Book], model_folder: Path, tmp_path: Path
) -> None:
    home, book = undisturbed_run
    (version,) = book.bodies("version_created")
    assert (version.slug, version.steps, version.run) == ("sums_easy", STEPS, "run-1")
    assert version.final_loss == book.bodies("step_completed")[-1].loss
    assert (version.baseline_accuracy, version.final_accuracy) == (
        book.bodies("snapshot_completed")[0].correct / 10,
        book.bodies("snapshot_completed")[-1].correct / 10,
    )
    for file in version.files:
        stored = Artifacts(home.artifacts).path(file.sha256)
        assert stored.stat().st_size == file.bytes
        (tmp_path / file.path).write_bytes(stored.read_bytes())
    base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, str(tmp_path))
    model.train(mode=False)
    encoder = Encoder(load_base_model(str(model_folder), "float32", tmp_path).tokenizer, 64)
    encoded = [encoder.encode(example) for example in EXAMPLES]
    losses = [expected.loss for expected in expectations(model, encoded, encoder.pad_id)]
    assert losses == pytest.approx(losses_in(book.bodies("examples_observed")[-1]), rel=1e-3)


def test_bfloat16_trains_too(model_folder: Path, tmp_path: Path) -> None:
    book = Book()
    job = assign(Home(tmp_path), model_folder, tiny_config(dtype="bfloat16", max_steps=3), book)
    assert job.carry_out() == (Ending.COMPLETED, 0)
    losses = [completed.mean_loss for completed in book.bodies("snapshot_completed")]
    assert losses[-1] < losses[0]
