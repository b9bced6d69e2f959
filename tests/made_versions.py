"""Finished jobs with versions, as a trainer would leave them, without a model."""

from pathlib import Path

from made_events import run_start, snapshot, step, write_questions
from server_process import ServerProcess

from guessbook.clients.client import Guessbook
from guessbook.clients.producer import Producer
from guessbook.proto import events_pb2 as e
from guessbook.store.artifacts import Artifacts

CONFIG = e.TrainingConfig(base_model="tiny", max_steps=5)
PATIENCE_S = 60.0


class ScriptedTrainer:
    """Says what a trainer says."""

    def __init__(self, server: ServerProcess, folder: Path, name: str = "scripted") -> None:
        self.server = server
        self.name = name
        self._folder = folder
        self.producer = Producer(name, folder / f"{name}.sqlite", server.address, e.TrainerConnected(device="cpu"))
        self.producer.start()
        self.epoch = self.producer.wait_welcome(PATIENCE_S)

    def say(self, *events: e.Event) -> None:
        for event in events:
            self.producer.record(event)
        assert self.producer.flush(PATIENCE_S)

    def version(self, book: Guessbook, name: str, *, parent: str = "", content: bytes | None = None) -> str:
        """Submits a dataset, trains it by saying so, and returns the version's name."""
        book.submit(write_questions(self._folder / f"{name}.jsonl", 4), name=f"{name}.jsonl", config=CONFIG)
        answer = book.lease(self.name, self.epoch)
        run, job = answer.run, answer.job
        weights = Artifacts(self.server.home.artifacts).write([content or f"weights of {name}".encode()])
        config = Artifacts(self.server.home.artifacts).write([b"{}"])
        files = [
            e.File(
                path="adapter_model.safetensors", sha256=weights, bytes=len(content or f"weights of {name}".encode())
            ),
            e.File(path="adapter_config.json", sha256=config, bytes=2),
        ]
        created = e.VersionCreated(
            slug=name,
            parent=parent,
            job=job.id,
            run=run,
            dataset=job.dataset,
            base_model="tiny",
            files=files,
            steps=1,
            final_loss=0.5,
            baseline_accuracy=0.0,
            final_accuracy=1.0,
        )
        self.say(
            run_start(4, run=run, job=job.id, dataset=job.dataset),
            e.Event(subject=f"job/{job.id}", job_started=e.JobStarted(run=run)),
            *snapshot(0, [4.0] * 4, [False] * 4, run),
            step(1, run),
            *snapshot(1, [1.0] * 4, [True] * 4, run),
            e.Event(subject=f"run/{run}", version_created=created),
            e.Event(subject=f"job/{job.id}", job_completed=e.JobCompleted(step=1)),
        )
        return book.versions().versions[0].name

    def close(self) -> None:
        self.producer.close()
