"""What the queue must do, in a few lines of plain Python that share nothing with the server: the oracle of the random walks."""

from dataclasses import dataclass, field

GOES_TO = {"stop": "queued", "keep": "queued", "pause": "paused", "cancel": "cancelled", "lost": "interrupted"}
Trainer = tuple[str, int]  # a process: name, epoch


@dataclass
class QueueModel:
    """`asked`: what an active job was asked last: "keep" is a stop that leaves it its place."""

    on: bool = True
    state: dict[str, str] = field(default_factory=dict)
    owner: dict[str, Trainer] = field(default_factory=dict)  # who has it, or had it last
    asked: dict[str, str] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    priority: dict[str, int] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)  # that it needs

    def submit(self, job: str, priority: int, after: list[str], devices: int) -> None:
        self.state[job], self.priority[job], self.after[job], self.devices[job] = "queued", priority, after, devices
        self.places.append(job)

    def ask(self, job: str, what: str) -> None:
        if self.state[job] == "active":
            self.asked[job] = what
        else:
            self.put(job, what)

    def put(self, job: str, what: str) -> None:
        self.state[job] = GOES_TO.get(what, what)
        self.asked.pop(job, None)
        if what == "stop":
            self.held.add(job)
            self.move(job, None)

    def move(self, job: str, before: str | None) -> None:
        self.places.remove(job)
        self.places.insert(self.places.index(before) if before else len(self.places), job)

    def let_go(self, job: str) -> None:
        self.put(job, self.asked.get(job, "lost"))

    def tells(self, job: str, trainer: Trainer) -> bool:
        """Whether a trainer's word on a job counts."""
        owner, state = self.owner.get(job, ("", 0)), self.state[job]
        return owner[0] == trainer[0] and state != "cancelled" and (state != "active" or owner == trainer)

    def order(self) -> list[str]:
        waiting = [job for job in self.places if self.state[job] in ("queued", "interrupted")]
        return sorted(
            waiting, key=lambda job: (job in self.held, self.state[job] != "interrupted", -self.priority[job])
        )

    def lease(self, trainer: Trainer, devices: int) -> str:
        """The job that it gets, or had already; empty: none."""
        mine = [job for job, owner in self.owner.items() if owner == trainer and self.state[job] == "active"]
        fitting = [job for job in self.order() if job not in self.held and self.devices[job] <= devices]
        ready = [job for job in fitting if all(self.state[one] == "completed" for one in self.after[job])]
        if mine or not (ready and self.on):
            return mine[0] if mine else ""
        self.state[ready[0]], self.owner[ready[0]], self.held = "active", trainer, set()
        return ready[0]
