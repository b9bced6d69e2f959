"""One leased job on its way through the trainer: from the dataset's bytes to a version, or to a checkpoint.

Knows the order of things and the events at its turns. Doesn't know where jobs come from or where events go.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from peft import PeftModel

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event, JobResumed, JobStarted, RunStarted, VersionCreated
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Example, read_dataset
from guessbook.store.home import Home
from guessbook.trainer import checkpoint, memory_estimate, mirror
from guessbook.trainer.base_model import BaseModel, load_base_model, located, require_same
from guessbook.trainer.budget import Budget
from guessbook.trainer.callback import BookCallback, NoStep
from guessbook.trainer.device import device_name, devices
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.errors import UnusableExample
from guessbook.trainer.observation import LEARNED_LOSS, Judge, Tracked, track
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.processes import Processes
from guessbook.trainer.progress import Past, Progress
from guessbook.trainer.schedule import total_steps
from guessbook.trainer.scorer import DEFAULT, find_scorer
from guessbook.trainer.snapshot import Snapshots
from guessbook.trainer.tracking import tracked_indices
from guessbook.trainer.training import (
    ExampleLossTrainer,
    add_adapter,
    load_adapter,
    make_deterministic,
    training_arguments,
)
from guessbook.trainer.version import adapter_folder, slug, store_adapter

CUT_LISTED = 10_000  # an event has room for so many

_log = logging.getLogger("guessbook.trainer")


@dataclass
class Assignment:
    """`read_past` tells what the log knows of the run if it goes on from a step. `record` takes the events; `check` raises if training must not
    go on; `all_told` says whether the server has all that was recorded.
    """

    lease: LeaseJobResponse
    read_past: Callable[[int], Past]
    home: Home
    orders: Orders
    record: Callable[[Event], None]
    check: Callable[[], None]
    artifacts: Artifacts | None = None  # by default the data folder's
    all_told: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self.config = self.lease.job.config
        self.past = Past()
        self.folder = self.home.checkpoints / self.lease.run
        self._artifacts = self.artifacts or Artifacts(self.home.artifacts)

    def carry_out(self) -> tuple[Ending, int]:
        """Trains until the end, or until it is asked to end, at the next step. Returns how it ended and the position of the
        request. The model is let go of when this returns.
        """
        resumed = self._resume()
        if self.past.has_version:  # only its job was not told so
            self._record_job(job_resumed=JobResumed(step=self.progress.step, run=self.lease.run))
            return Ending.COMPLETED, 0
        if asked := self.orders.ending():
            return asked  # before a model is loaded
        make_deterministic()
        mirror.require(self.config.report_to)
        examples, held_out = self.read_examples(), self._held_out()
        chosen = tracked_indices(self.config, examples)
        judge = Judge(find_scorer(self.config.scorer or DEFAULT), self.config.learned_loss or LEARNED_LOSS)
        memory_estimate.check(self.config, self._model_name, devices(), examples)
        base = self.base()
        encoder = Encoder(base.tokenizer, self.config.max_length)
        encoded = [encoder.encode(example) for example in examples]
        total = total_steps(self.config, len(examples))
        tracked = track(examples, encoded, chosen, self.config) + self._watched(held_out, len(examples), encoder)
        model = self.adapted(base)
        with Processes(self.lease, self.home.root, resumed):
            trainer = ExampleLossTrainer(
                model, training_arguments(self.config, total, self.folder), encoded, encoder.pad_id
            )
            record = mirror.mirrored(self.record, trainer.log) if self.config.report_to else self.record
            snapshots = self._snapshots(model, encoder, tracked, judge, record)
            self._announce(base, model, total, tracked, encoded)
            if ending := self._train(trainer, snapshots, resumed):
                return ending
        self._create_version(model, base)
        return Ending.COMPLETED, 0

    def _train(
        self, trainer: ExampleLossTrainer, snapshots: Snapshots, resumed: Path | None
    ) -> tuple[Ending, int] | None:
        """None: to its last step."""
        callback = BookCallback(
            self.lease.run,
            self.lease.job,
            self.folder,
            self.past,
            orders=self.orders,
            snapshots=snapshots,
            trainer=trainer,
            record=self.record,
            check=self.check,
            all_told=self.all_told,
        )
        trainer.add_callback(callback)
        with mirror.finished(self.config.report_to), suppress(NoStep):
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        return callback.ending

    def read_examples(self) -> list[Example]:
        """What is trained on. Raises UnusableExample."""
        return self._examples(self.lease.job.dataset)

    def _examples(self, dataset: str) -> list[Example]:
        examples = read_dataset(self._artifacts.verified_path(dataset)).examples
        if not examples:
            raise UnusableExample("the dataset has no example that can be read", "Submit a file with at least one.")
        return examples

    def base(self) -> BaseModel:
        """The model without the adapter. Raises UnusableModel, also where it is not the one that the version was trained on that the job starts from."""
        base = load_base_model(
            self._model_name, self.config.dtype, self.home.base_models, load_in_4bit=self.config.load_in_4bit
        )
        if self.lease.from_version.name:
            require_same(base, self._model_name, self.lease.from_version)
        return base

    @property
    def _model_name(self) -> str:
        return located(self.config.base_model, self.home.versions)

    def adapted(self, base: BaseModel) -> PeftModel:
        """The model with a fresh adapter, or with that of the version that the job starts from."""
        model = self._with_adapter(base)
        config = model.peft_config[
            model.active_adapter
        ]  # of an adapter that was trained before it tells where its base lay then
        config.base_model_name_or_path, config.revision = base.model.name_or_path, base.revision or None
        return model

    def _with_adapter(self, base: BaseModel) -> PeftModel:
        version = self.lease.from_version
        if not version.name or version.HasField("consolidation"):
            return add_adapter(base.model, self.config)
        with adapter_folder(version, self._artifacts) as folder:
            return load_adapter(base.model, folder, self.config)

    def _held_out(self) -> list[Example]:
        return self._examples(self.config.held_out) if self.config.held_out else []

    def _watched(self, held_out: Sequence[Example], behind: int, encoder: Encoder) -> list[Tracked]:
        """The held-out examples as snapshots look at them. Their indices follow those of the examples that are trained on."""
        moved = [replace(example, index=behind + example.index) for example in held_out]
        encoded = [encoder.encode(example) for example in moved]
        return track(moved, encoded, range(len(moved)), self.config, held_out=True)

    def _snapshots(
        self,
        model: PeftModel,
        encoder: Encoder,
        tracked: Sequence[Tracked],
        judge: Judge,
        record: Callable[[Event], None],
    ) -> Snapshots:
        budget = Budget(spent_s=self.progress.snapshots_s, trained_s=self.progress.trained_s)
        run, seed, correct = self.lease.run, self.config.seed, self.past.correct
        return Snapshots(model, encoder, tracked, run, record, judge=judge, budget=budget, seed=seed, correct=correct)

    @property
    def progress(self) -> Progress:
        return self.past.progress

    @property
    def last_checkpoint(self) -> str:
        """The path of that which the run goes on from; empty: it begins anew."""
        return str(checkpoint.place(self.folder, self.progress.saved)) if self.progress.saved else ""

    def _resume(self) -> Path | None:
        """Goes back to the last checkpoint the log knows of, or to one before if that is torn: every event up to there is in the log, none is missing."""
        last = checkpoint.go_back(self.folder, self.lease.resume_step)
        step = checkpoint.step_of(last) if last else 0
        self.past = self.read_past(step)
        if not self.past.has_version:
            self.progress.step = self.progress.saved = step
        return last

    def _announce(
        self, base: BaseModel, model: PeftModel, total: int, tracked: Sequence[Tracked], encoded: Sequence[Encoded]
    ) -> None:
        job, run = self.lease.job, self.lease.run
        if self.past.started:
            self._record_job(job_resumed=JobResumed(step=self.progress.step, run=run))
            return
        truncated, cut = sum(one.truncated for one in encoded), [one.index for one in encoded if one.answer_cut]
        if truncated:
            _log.warning(
                "%d of %d examples are longer than max_length (%d tokens) and are cut, %d of them in their answers.",
                truncated,
                len(encoded),
                self.config.max_length,
                len(cut),
            )
        trainable, parameters = model.get_nb_trainable_parameters()
        started = RunStarted(
            job=job.id,
            dataset=job.dataset,
            config=job.config,
            total_steps=total,
            examples=len(encoded),
            tracked=[one.example.index for one in tracked if not one.held_out],
            device=device_name(),
            trainable_parameters=trainable,
            parameters=parameters,
            base_model_sha256=base.sha256,
            truncated_examples=truncated,
            cut_answers=len(cut),
            cut_example=cut[:CUT_LISTED],
            held_out=self.config.held_out,
            held_out_examples=sum(one.held_out for one in tracked),
        )
        self.record(Event(subject=f"run/{run}", run_started=started))
        self._record_job(job_started=JobStarted(run=run))

    def _record_job(self, **body: JobStarted | JobResumed) -> None:
        self.record(Event(subject=f"job/{self.lease.job.id}", **body))  # type: ignore[arg-type]

    def _create_version(self, model: PeftModel, base: BaseModel) -> None:
        job = self.lease.job
        version = VersionCreated(
            slug=slug(self.lease.dataset_name),
            parent=self.config.from_version,
            job=job.id,
            run=self.lease.run,
            dataset=job.dataset,
            base_model=self.config.base_model,
            base_model_sha256=base.sha256,
            files=store_adapter(model, self._artifacts),
            steps=self.progress.step,
            final_loss=self.progress.loss,
            baseline_accuracy=self.progress.baseline_accuracy,
            final_accuracy=self.progress.final_accuracy,
        )
        self.record(Event(subject=f"run/{self.lease.run}", version_created=version))
