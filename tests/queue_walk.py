"""A random walk over the queue: commands, trainers that work, die and come back late, and servers that restart, against the model in queue_model.py."""

from collections import Counter
from random import Random
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from queue_model import QueueModel
from queue_systems import Denied, Process, System

from guessbook.projections.names import job_state
from guessbook.proto import events_pb2 as e
from guessbook.proto.events_pb2 import Event
from guessbook.proto.history_pb2 import JOB_STATE_ACTIVE, Job

DEVICES = {"t0": 0, "t1": 1, "t2": 2}  # what each trainer declares
PRIORITIES = [e.PRIORITY_LOW, e.PRIORITY_NORMAL, e.PRIORITY_HIGH, e.PRIORITY_URGENT]
QUEUES = [e.QUEUE_STATE_ON] * 5 + [e.QUEUE_STATE_PAUSED, e.QUEUE_STATE_OFF]
MOST = 12  # unfinished jobs at a time
UNFINISHED = ("queued", "interrupted", "active", "paused")

# What happens how often. One rule chooses, as Hypothesis itself would leave most kinds out of most walks.
WEIGHTS = {
    "submit": 12,
    "command": 14,
    "set_priority": 4,
    "move": 6,
    "switch": 5,
    "start": 3,
    "lease": 18,
    "hear": 14,
    "end": 16,
    "cut_off": 5,
    "come_back": 6,
    "speak_late": 2,
    "restart": 2,
}


class QueueWalk(RuleBasedStateMachine):
    """Each rule does one thing to the system and says to the model what must come of it; after each, both show the same."""

    counted: ClassVar[Counter[str]] = Counter()  # what was done, in all walks

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system
        self.model = QueueModel()
        self.off = False  # the queue
        self.processes: dict[str, Process] = {}  # the newest of each name
        self.older: list[Process] = []  # that a newer one has taken the place of, and which don't know it
        for name in DEVICES:
            self._begin(name, [])

    def teardown(self) -> None:
        self.system.check_replay()

    @rule(number=st.integers(0, 2**64))
    def step(self, number: int) -> None:
        dice = Random(number)
        (what,) = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if getattr(self, what)(dice) is not False:
            self.counted[what] += 1

    # ---- commands; False: there was nothing to do it with ----

    def _job(self, dice: Random, *states: str) -> str:
        chosen = [job for job, state in self.model.state.items() if not states or state in states]
        return dice.choice(chosen) if chosen else ""

    def _make_room(self) -> None:
        """What the system itself asked to stop: for a more urgent job, or since the queue is off."""
        for job in self.system.jobs():
            if job.state == JOB_STATE_ACTIVE and job.keep_place and self.model.asked.get(job.id) != "keep":
                assert self.model.asked.get(job.id) is None
                if job.preempted_by:
                    assert self.model.priority[job.preempted_by] > self.model.priority[job.id]
                self.model.ask(job.id, "keep")

    def submit(self, dice: Random) -> bool:
        if sum(state in UNFINISHED for state in self.model.state.values()) == MOST:
            return False
        after = sorted({self._job(dice) for _ in range(dice.choice([0] * 6 + [1, 2]))} - {""})
        needs = dice.choice([0] * 5 + [1, 2])
        wanted = e.JobQueued(name="x", dataset="d", priority=dice.choice(PRIORITIES), after=after)
        wanted.needs.devices, wanted.preempt, wanted.config.snapshots = needs, dice.random() < 0.5, True
        never = any(self.model.state[job] in ("failed", "cancelled") for job in after)
        try:
            job = self.system.submit(wanted)
        except Denied:
            assert never
            return True
        assert not never
        self.model.submit(job, wanted.priority, after, needs)
        self._make_room()
        return True

    def command(self, dice: Random) -> bool:
        name = dice.choice(["pause", "resume", "resume", "stop", "cancel", "skip", "snapshot"])
        job = self._job(dice, *(UNFINISHED if dice.random() < 0.9 else ()))
        if not job:
            return False
        changed = self._command(name, job)
        assert not self._command(name, job), "repeating a command does nothing"
        if changed and name == "resume":
            self.model.held.discard(job)
            if self.model.state[job] == "paused":
                self.model.state[job] = "queued"
        elif changed and name in ("pause", "stop", "cancel"):
            self.model.ask(job, name)
        return True

    def _command(self, name: str, job: str) -> bool:
        try:
            return self.system.command(name, job)
        except Denied:
            return False

    def set_priority(self, dice: Random) -> bool:
        job, priority = self._job(dice, *UNFINISHED), dice.choice(PRIORITIES)
        if not job:
            return False
        self.system.set_priority(job, priority, dice.random() < 0.5)
        self.model.priority[job] = priority
        self._make_room()
        return True

    def move(self, dice: Random) -> bool:
        job, other = self._job(dice, "queued", "interrupted"), self._job(dice, "queued", "interrupted")
        where = dice.choice(["before", "front", "back"])
        if job == other:
            return False
        equals = [one for one in self.model.order() if self._equal(one, job)]
        try:
            changed = self.system.move(job, other if where == "before" else "", where == "front")
        except Denied:
            return True
        if changed and where == "back":
            self.model.move(job, None)
        elif changed:
            before = other if where == "before" else equals[0]
            self.model.move(job, before)
            self.model.priority[job] = self.model.priority[before]
            self.model.held.discard(job)
        return True

    def _equal(self, one: str, job: str) -> bool:
        model = self.model
        same = (model.state[one], model.priority[one]) == (model.state[job], model.priority[job])
        return one == job or (same and one not in model.held)

    def switch(self, dice: Random) -> None:
        state = dice.choice(QUEUES if self.model.on else [e.QUEUE_STATE_ON, *QUEUES])
        self.system.switch(state)
        assert not self.system.switch(state), "repeating a command does nothing"
        self.model.on, self.off = state == e.QUEUE_STATE_ON, state == e.QUEUE_STATE_OFF
        self._make_room()

    # ---- trainers ----

    def start(self, dice: Random) -> None:
        """A new process of a trainer. The one before was killed, or doesn't know yet that it has been replaced."""
        name = dice.choice(sorted(DEVICES))
        before = self.processes.get(name)
        if before and before.here and dice.random() < 0.5:
            self._lose(before)
        elif before and before.here:
            self.older.append(before)
        self._begin(name, before.spool if before and not before.here else [])

    def _process(self, dice: Random, here: bool) -> Process | None:
        chosen = [process for process in self.processes.values() if process.here == here]
        return dice.choice(chosen) if chosen else None

    def _begin(self, name: str, spool: list[Event]) -> None:
        epoch = self.processes[name].epoch + 1 if name in self.processes else 1
        process = self.processes[name] = Process(name, epoch, DEVICES[name], spool)
        for job, owner in self.model.owner.items():
            if owner[0] == name and self.model.state[job] == "active":
                self.model.let_go(job)
        self._connect(process)

    def _connect(self, process: Process) -> None:
        process.here = True
        self.system.connect(process)
        for job, owner in self.model.owner.items():
            if owner == process.identity and self.model.state[job] == "interrupted":
                self.model.state[job] = "active"
                self.model.held = set()
        self._make_room()
        told, process.spool = process.spool, []
        for event in told:
            if not self._tell(process, event):
                break

    def lease(self, dice: Random) -> bool:
        """All that are here and have nothing to do ask for a job, and one that has one asks again: the answer was lost."""
        for process in self.processes.values():
            if process.here and not process.job:
                self._lease(process)
            elif (
                process.here
                and self.model.owner[process.job] == process.identity
                and self.model.state[process.job] == "active"
            ):
                assert self.system.lease(process) == process.job
        return True

    def _lease(self, process: Process) -> None:
        expected = self.model.lease(process.identity, process.devices)
        process.job = self.system.lease(process)
        assert process.job == expected
        assert not any(job.pending for job in self.system.jobs() if job.state != JOB_STATE_ACTIVE)
        process.asked = ("", 0)
        if process.job:
            self._tell(process, Event(subject=f"job/{process.job}", job_started=e.JobStarted()))

    def hear(self, dice: Random) -> bool:
        """Its subscription tells it what it is asked."""
        process = self._process(dice, here=True)
        if process is None or not process.job:
            return False
        for job in self.system.jobs():
            if job.id == process.job and job.pending:
                process.asked = job.pending, job.pending_position
        return True

    def end(self, dice: Random) -> bool:
        """It ends its work as it knows it was asked to, which may be less than it was asked by now, and goes on with the next."""
        process = self._process(dice, here=dice.random() < 0.7)
        if process is None or not process.job:
            return False
        what = process.asked[0] or dice.choice(["completed", "completed", "failed"])
        event = Event(subject=f"job/{process.job}", causation=process.asked[1])
        bodies: dict[str, Any] = {
            "pause": ("job_paused", e.JobPaused(step=1)),
            "stop": ("job_stopped", e.JobStopped(step=1)),
            "cancel": ("job_cancelled", e.JobCancelled(step=1)),
            "completed": ("job_completed", e.JobCompleted(step=1)),
            "failed": ("job_failed", e.JobFailed(step=1, error="?")),
        }
        kind, body = bodies[what]
        getattr(event, kind).CopyFrom(body)
        process.job, process.asked = "", ("", 0)
        if not process.here:
            process.spool.append(event)
        elif self._tell(process, event):
            self._lease(process)
        return True

    def _tell(self, process: Process, event: Event) -> bool:
        job = event.subject.removeprefix("job/")
        counts = self.model.tells(job, process.identity) and self.processes[process.name] is process
        assert self.system.tell(process, event) == counts
        if not counts and self.processes[process.name] is process:
            self._begin(process.name, [])  # what it has is set aside, and it begins anew
        elif counts and event.HasField("job_completed"):
            self.model.put(job, "completed")
        elif counts and event.HasField("job_failed"):
            if self.model.state[job] in (
                "active",
                "interrupted",
            ):  # else it was put back since, and what it says late moves nothing
                self.model.put(job, "failed")
        elif counts and event.HasField("job_cancelled"):
            self.model.put(job, "cancel")
        elif counts and not event.HasField("job_started") and self.model.state[job] == "active":
            self.model.let_go(job)
        return counts

    def cut_off(self, dice: Random) -> bool:
        """For longer than the grace; it doesn't notice, and works on."""
        process = self._process(dice, here=True)
        if process:
            self._lose(process)
        return process is not None

    def _lose(self, process: Process) -> None:
        process.here = False
        self.system.lose(process)
        for job, owner in self.model.owner.items():
            if owner == process.identity and self.model.state[job] == "active":
                self.model.let_go(job)

    def come_back(self, dice: Random) -> bool:
        process = self._process(dice, here=False)
        if process:
            self._connect(process)
        return process is not None

    def speak_late(self, dice: Random) -> bool:
        """An older process of a name finds out that it was replaced."""
        if not self.older:
            return False
        process = self.older.pop(dice.randrange(len(self.older)))
        if process.job:
            assert not self._tell(process, Event(subject=f"job/{process.job}", job_completed=e.JobCompleted()))
        return True

    def restart(self, dice: Random) -> None:
        self.older.clear()
        self.system.restart([process for process in self.processes.values() if process.here])

    # ---- what is so after each ----

    @invariant()
    def both_show_the_same(self) -> None:
        shown = self.system.jobs()
        assert len(shown) == len(self.model.state), "a job is lost, or is there twice"
        assert {job.id: _state(job) for job in shown} == self.model.state
        running = {job.id: (job.trainer, job.epoch) for job in shown if job.state == JOB_STATE_ACTIVE}
        assert running == {job: self.model.owner[job] for job, state in self.model.state.items() if state == "active"}
        assert len(set(running.values())) == len(running), "a trainer has two jobs"
        overtaken = {job.id for job in shown if job.pending and job.state != JOB_STATE_ACTIVE}
        if not overtaken:
            waiting = [job.id for job in shown if _state(job) in ("queued", "interrupted")]
            assert waiting == self.model.order()
        for job in shown:
            assert job.state == JOB_STATE_ACTIVE or not (job.skip_pending or job.snapshot_pending)
            assert job.state != JOB_STATE_ACTIVE or job.pending or not self.off


def _state(job: Job) -> str:
    """What was asked last of a job that no trainer has is as good as done."""
    if job.pending and job.state != JOB_STATE_ACTIVE:
        return {"pause": "paused", "stop": "queued", "cancel": "cancelled"}[job.pending]
    return job_state(job.state)
