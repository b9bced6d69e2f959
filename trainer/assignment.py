"""One leased job on its way through the trainer: from the dataset's bytes to a version, or to a checkpoint.

Knows the order of things and the events at its turns. Doesn't know where jobs come from or where events go.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Event, JobResumed, JobStarted, RunStarted, VersionCreated
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import Example, read_dataset
from guessbook.store.home import Home
from guessbook.trainer import checkpoint
from guessbook.trainer.base_model import BaseModel, load_base_model
from guessbook.trainer.callback import BookCallback
from guessbook.trainer.device import device_name
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.errors import UnusableExample
from guessbook.trainer.observation import track
from guessbook.trainer.orders import Ending, Orders
from guessbook.trainer.progress import Past
from guessbook.trainer.schedule import total_steps, tracked_indices
from guessbook.trainer.snapshot import Snapshots
from guessbook.trainer.training import ExampleLossTrainer, add_adapter, training_arguments
from guessbook.trainer.version import slug, store_adapter

_log = logging.getLogger("guessbook.trainer")


@dataclass
class Assignment:
    """`record` takes the events; `check` raises if training must not go on."""

    lease: LeaseJobResponse
    past: Past
    home: Home
    orders: Orders
    record: Callable[[Event], None]
    check: Callable[[], None]

    def __post_init__(self) -> None:
        self.config = self.lease.job.config
        self.progress = self.past.progress
        self.folder = self.home.checkpoints / self.lease.run
        self._artifacts = Artifacts(self.home.artifacts)

    def carry_out(self) -> tuple[Ending, int]:
        """Trains until the end, or until it is asked to end, at the next step. Returns how it ended and the position of the
        request. The model is let go of when this returns.
        """
        examples = self._examples()
        base = load_base_model(self.config.base_model, self.config.dtype, self.home.base_models)
        encoder = Encoder(base.tokenizer, self.config.max_length)
        encoded = [encoder.encode(example) for example in examples]
        total = total_steps(self.config, len(examples))
        tracked = track(examples, encoded, tracked_indices(self.config, len(examples)), self.config)
        model = add_adapter(base.model, self.config)
        snapshots = Snapshots(model, encoder, tracked, self.lease.run, self.record)
        arguments = training_arguments(self.config, total, self.folder)
        trainer = ExampleLossTrainer(model, arguments, encoded, encoder.pad_id)
        callback = BookCallback(
            self.lease.run,
            self.config,
            self.folder,
            self.progress,
            orders=self.orders,
            snapshots=snapshots,
            record=self.record,
            take_visits=trainer.take_visits,
            check=self.check,
        )
        trainer.add_callback(callback)

        resumed = self._resume()
        self._announce(base, model, total, [one.example.index for one in tracked], encoded)
        if self.progress.step < total:
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        elif resumed:  # killed between its last step and its version; the Trainer would take one step more
            model.load_adapter(str(resumed), "default")
        if self.progress.step < total and callback.ending:
            return callback.ending
        self._create_version(model)
        return Ending.COMPLETED, 0

    def _examples(self) -> list[Example]:
        examples = read_dataset(self._artifacts.verified_path(self.lease.job.dataset)).examples
        if not examples:
            raise UnusableExample("the dataset has no example that can be read", "Submit a file with at least one.")
        return examples

    @property
    def last_checkpoint(self) -> Path:
        return checkpoint.place(self.folder, self.progress.step)

    def _resume(self) -> Path | None:
        """Goes back to the last checkpoint the log knows of: every event up to there is in the log, none is missing."""
        last = checkpoint.last_complete(self.folder, at_most=self.lease.resume_step)
        self.progress.step = checkpoint.step_of(last) if last else 0
        checkpoint.discard_after(self.folder, self.progress.step)
        return last

    def _announce(
        self, base: BaseModel, model: PeftModel, total: int, tracked: list[int], encoded: list[Encoded]
    ) -> None:
        job, run = self.lease.job, self.lease.run
        if self.past.started:
            self._record_job(job_resumed=JobResumed(step=self.progress.step, run=run))
            return
        truncated, cut = sum(one.truncated for one in encoded), sum(one.answer_cut for one in encoded)
        if truncated:
            _log.warning(
                "%d of %d examples are longer than max_length (%d tokens) and are cut, %d of them in their answers.",
                truncated,
                len(encoded),
                self.config.max_length,
                cut,
            )
        trainable, parameters = model.get_nb_trainable_parameters()
        started = RunStarted(
            job=job.id,
            dataset=job.dataset,
            config=job.config,
            total_steps=total,
            examples=len(encoded),
            tracked=tracked,
            device=device_name(),
            trainable_parameters=trainable,
            parameters=parameters,
            base_model_sha256=base.sha256,
            truncated_examples=truncated,
            cut_answers=cut,
        )
        self.record(Event(subject=f"run/{run}", run_started=started))
        self._record_job(job_started=JobStarted(run=run))

    def _record_job(self, **body: JobStarted | JobResumed) -> None:
        self.record(Event(subject=f"job/{self.lease.job.id}", **body))  # type: ignore[arg-type]

    def _create_version(self, model: PeftModel) -> None:
        job = self.lease.job
        version = VersionCreated(
            slug=slug(self.lease.dataset_name),
            job=job.id,
            run=self.lease.run,
            dataset=job.dataset,
            base_model=self.config.base_model,
            files=store_adapter(model, self._artifacts),
            steps=self.progress.step,
            final_loss=self.progress.loss,
            baseline_accuracy=self.progress.baseline_accuracy,
            final_accuracy=self.progress.final_accuracy,
        )
        self.record(Event(subject=f"run/{self.lease.run}", version_created=version))
