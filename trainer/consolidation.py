"""Merges a version's adapter into its base and proves the merge before anything of it is kept. Run as a job, like a training.

The sums are made in float32, whatever the base was stored in: in bfloat16 what an adapter adds is often smaller than a weight's last digit. A base that is
stored quantised is loaded dequantised. What is proved is what was saved: the files are read back into a new model.
"""

import gc
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from guessbook.proto.control_pb2 import LeaseJobResponse
from guessbook.proto.events_pb2 import Consolidation as Figures
from guessbook.proto.events_pb2 import Event, File, JobStarted, VersionCreated
from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import Artifacts
from guessbook.store.dataset import read_dataset
from guessbook.store.home import Home
from guessbook.trainer.base_model import BaseModel, load_base_model, located, require_same
from guessbook.trainer.encoding import Encoded, Encoder
from guessbook.trainer.errors import TrainingError
from guessbook.trainer.guess import Guesser
from guessbook.trainer.merge_proof import TOKENS, Proof, probe, prove
from guessbook.trainer.version import adapter_folder

EXAMPLES = 4  # that the proof looks at, the shortest ones of a sample: a weight that is wrong is wrong in every answer
SAMPLE = 32
TOLERANCE = 2e-3  # of a logit; sums in another order make about a tenth of it on models of this size
SHARD = "2GB"

_log = logging.getLogger("guessbook.trainer")


class MergeRefused(TrainingError):
    """The merged model isn't what base and adapter are."""


def merge(model: PeftModel) -> PreTrainedModel:
    """PEFT's own, for LoRA, rsLoRA and DoRA; it refuses weights that are no numbers."""
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    return merged


@dataclass
class Consolidation:
    """`version`: the one to merge, whose adapter is in the artifacts. `record` takes the events."""

    lease: LeaseJobResponse
    version: Version
    home: Home
    record: Callable[[Event], None]
    merge: Callable[[PeftModel], PreTrainedModel] = merge
    artifacts: Artifacts | None = None  # by default the data folder's

    def __post_init__(self) -> None:
        self._artifacts = self.artifacts or Artifacts(self.home.artifacts)

    def carry_out(self) -> str:
        """Records the merged version. Raises MergeRefused and UnusableModel, with nothing stored, the latter also for a base that has changed."""
        began = time.perf_counter()
        self.record(Event(subject=f"job/{self.lease.job.id}", job_started=JobStarted(run=self.lease.run)))
        config = self.lease.job.config
        name = located(self.version.base_model, self.home.versions)
        base = load_base_model(name, "float32", self.home.base_models)
        require_same(base, name, self.version)
        encoder = Encoder(base.tokenizer, config.max_length)
        examples = self._examples(encoder)
        with tempfile.TemporaryDirectory(prefix="guessbook-merge-", dir=self.home.root) as folder:
            proof = self._merge(base, encoder, examples, Path(folder))
            if proof.problem:
                raise MergeRefused(
                    f"the merged model of {self.version.name} is not base and adapter: {proof.problem}",
                    "Nothing of it was kept, and the adapter is as it was. Look at how the adapter was made, and report it if it is a plain LoRA.",
                )
            files = self._store(Path(folder))
        self.record(self._created(base, proof, files, time.perf_counter() - began))
        return self.version.name

    def _examples(self, encoder: Encoder) -> list[Encoded]:
        """What they are depends on the dataset alone."""
        examples = read_dataset(self._artifacts.verified_path(self.version.dataset)).examples
        sample = Random(len(examples)).sample(examples, min(SAMPLE, len(examples)))
        return sorted((encoder.encode(example) for example in sample), key=lambda one: one.prompt_length)[:EXAMPLES]

    def _merge(self, base: BaseModel, encoder: Encoder, examples: list[Encoded], folder: Path) -> Proof:
        with adapter_folder(self.version, self._artifacts) as adapter:
            model = PeftModel.from_pretrained(base.model, adapter).eval()
        guesses = [guess.tokens for guess in Guesser(model, encoder).guess(examples, [TOKENS] * len(examples))]
        adapted = probe(model, examples, guesses)
        with model.disable_adapter():
            alone = probe(model, examples, guesses)
        self.merge(model).save_pretrained(folder, max_shard_size=SHARD)
        base.tokenizer.save_pretrained(folder)
        del model
        torch.nn.Module.to(base.model, "meta")  # its weights are in the merged files now
        gc.collect()
        merged = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        merged.train(mode=False)
        return prove(alone, adapted, probe(merged, examples, guesses), TOLERANCE)

    def _store(self, folder: Path) -> list[File]:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return [
            File(path=str(path.relative_to(folder)), sha256=self._artifacts.put(path), bytes=path.stat().st_size)
            for path in paths
        ]

    def _created(self, base: BaseModel, proof: Proof, files: list[File], seconds: float) -> Event:
        figures = Figures(
            version=self.version.name,
            precision="float32",
            examples=proof.examples,
            max_logit_difference=proof.max_logit_difference,
            tolerance=proof.tolerance,
            same_guesses=proof.same_guesses,
            difference_from_base=proof.difference_from_base,
            seconds=seconds,
        )
        created = VersionCreated(
            slug=f"{self.version.name.split('_', 2)[-1]}_merged",
            parent=self.version.name,
            job=self.lease.job.id,
            run=self.lease.run,
            dataset=self.version.dataset,
            base_model=self.version.base_model,
            base_model_sha256=base.sha256,
            files=files,
            steps=self.version.steps,
            final_loss=self.version.final_loss,
            baseline_accuracy=self.version.baseline_accuracy,
            final_accuracy=self.version.final_accuracy,
            consolidation=figures,
        )
        return Event(subject=f"run/{self.lease.run}", version_created=created)
