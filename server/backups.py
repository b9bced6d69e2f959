"""Has backups made, verified, drilled and removed, each by a process of its own, and records what came of it. Decides nothing.

The processes read the log beside this one, so nobody who appends waits for a backup. Where the places are is read from config.yaml each time.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from guessbook.projections.backups import SUBJECT
from guessbook.proto import safety_pb2
from guessbook.proto.events_pb2 import (
    BackupCreated,
    BackupFailed,
    BackupPruned,
    BackupStarted,
    BackupVerified,
    DrillCompleted,
    Event,
)
from guessbook.server.decide.jobs import Decision
from guessbook.server.decide.rejection import Invalid, Missing, Refused
from guessbook.server.guarded import CannotGoOn
from guessbook.server.live_book import LiveBook, now_us
from guessbook.store import config as config_file
from guessbook.store.home import Home

SILENCE_S = 3600  # a single large file over a slow line takes its time
TOLD_BYTES = 64 * 1024  # kept of what a process says

_log = logging.getLogger(__name__)


class Backups:
    """One backup, verification or drill at a time."""

    def __init__(self, live: LiveBook, home: Home) -> None:
        self._live = live
        self._home = home
        self._one = asyncio.Lock()

    def places(self) -> list[safety_pb2.Place]:
        """The first copy's place, then those of config.yaml. Raises Refused if that can't be read."""
        try:
            config, _ = config_file.read(self._home.config)
        except (config_file.BadConfig, OSError) as error:
            raise Refused(f"the places of backups are not known: {error}", "Correct config.yaml.") from error
        here = safety_pb2.Place(name=config_file.LOCAL, url=str(self._home.backups))
        return [
            here,
            *(
                safety_pb2.Place(
                    name=one.name,
                    url=config_file.without_password(one.url),
                    offsite=one.offsite,
                    encrypted=bool(one.key_file),
                )
                for one in config.backup.places
            ),
        ]

    async def create(
        self, actor: str, kind: str, place: str = "", operation: str = "", *, skip_missing: bool = False
    ) -> safety_pb2.BackupResponse:
        """A backup at a place, or at every one, made and read back. What failed is in `problems`, and in the log.

        `skip_missing`: files that are nowhere whole don't make it fail, but are named in it.
        """
        chosen = [one for one in self.places() if place in ("", one.name)]
        if not chosen:
            raise Missing(f"there is no place {place!r}", f"There are {', '.join(one.name for one in self.places())}.")
        async with self._one:
            identity = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-%f")
            started = BackupStarted(kind=kind, places=[one.name for one in chosen], operation=operation)
            await self._record(actor, identity, operation, backup_started=started)
            for one in chosen:
                words = ["--kind", kind, "--id", identity, "--actor", actor, *["--skip-missing"] * skip_missing]
                told = await self._run("create", one, *words)
                if error := _problem(told):
                    await self._fail(actor, identity, one, error, told.get("hint", ""))
                else:
                    await self._made(actor, identity, one, told, operation)
        return self._answer(identity, chosen)

    async def back_up(self, kind: str, operation: str) -> tuple[str, Sequence[str]]:
        """The backup before a guarded operation. Every place must have it. Raises CannotGoOn."""
        asked = self._live.book.operations.by_id[operation]
        try:
            answer = await self.create(asked.actor, kind, operation=operation)
        except Refused as error:
            raise CannotGoOn(str(error), error.hint) from error
        if answer.problems:
            raise CannotGoOn(
                f"the backup before it could not be made or verified: {'; '.join(answer.problems)}",
                "Remove the cause, or take the place out of config.yaml, and ask again. A file that is not whole any more may be whole in an earlier backup; "
                "`guessbook backup create --place FOLDER --skip-missing` makes a backup of all the rest.",
            )
        return answer.id, [one.place for one in answer.backups]

    async def verify(self, actor: str, name: str, place: str = "") -> safety_pb2.BackupResponse:
        """Reads a backup back at a place, or wherever it is. Raises Missing."""
        chosen = self._places_of(name, place)
        async with self._one:
            for backup, one in chosen:
                told = await self._run("verify", one, backup.id)
                if error := _problem(told):
                    await self._fail(actor, backup.id, one, error, told.get("hint", ""))
                else:
                    await self._record(actor, backup.id, "", backup_verified=_verified(one, told))
        return self._answer(chosen[0][0].id, [one for _, one in chosen])

    async def drill(self, actor: str, name: str, place: str = "") -> safety_pb2.BackupResponse:
        """Restores a backup into a folder for the time being and checks all of it. Raises Missing.

        One that could not be done, for lack of room say, tells nothing of the backup: it is no event, and is in `problems`.
        """
        chosen = self._places_of(name, place)
        undone = []
        async with self._one:
            for backup, one in chosen:
                told = await self._run("drill", one, backup.id)
                error = _problem(told)
                if "error" in told and not told.get("damaged"):
                    _log.warning("the drill of %s at %s could not be done: %s", backup.id, one.name, error)
                    undone.append(f"{one.name}: the drill could not be done: {error}. {told.get('hint', '')}")
                    continue
                done = DrillCompleted(
                    place=one.name,
                    ok=not error,
                    head=told.get("head", 0),
                    chain_hash=bytes.fromhex(told.get("chain_hash", "")),
                    problem=error,
                    seconds=told["seconds"],
                    at_us=now_us(),
                )
                await self._record(actor, backup.id, "", drill_completed=done)
        answer = self._answer(chosen[0][0].id, [one for _, one in chosen])
        answer.problems.extend(undone)
        return answer

    async def adopt(self, actor: str) -> None:
        """Records the backups of this log that lie at a place and that the book doesn't know, and reads them back.

        The server was killed before it could record them, or somebody made them without it.
        """
        log_id = self._home.log_id()
        async with self._one:
            for one in self.places():
                told = await self._run("list", one)
                if error := _problem(told):
                    _log.warning("which backups %s has is not known: %s", one.name, error)
                for found in told.get("backups", ()):
                    known = (found["id"], one.name) in self._live.book.backups.by_place
                    if (
                        not known and found.get("log_id") == log_id
                    ):  # else it is of another data folder, or from before a restore
                        _log.info("the backup %s at %s was not recorded yet", found["id"], one.name)
                        await self._made(actor, found["id"], one, {"seconds": 0.0, **found}, "")

    async def remove(self, actor: str, place: str, backup: str, operation: str) -> None:
        """Takes a backup away from a place, with the objects that no other one needs, and records it. Again it does nothing. Raises CannotGoOn."""
        found = next((one for one in self.places() if one.name == place), None)
        if found is None:
            raise CannotGoOn(f"the place {place} is not in config.yaml any more", "Put it back and ask again.")
        async with self._one:
            told = await self._run("remove", found, backup)
            # A removal that was cut off in the middle is one: the next removal takes away what it left.
            if (error := _problem(told)) and await self._lists(found, backup):
                raise CannotGoOn(f"{backup} could not be removed from {place}: {error}", told.get("hint", ""))
        known = self._live.book.backups.by_place.get((backup, place))
        if known and not known.pruned_at_us:
            pruned = BackupPruned(place=place, reason="older than the rules keep")
            await self._record(actor, backup, operation, backup_pruned=pruned)

    async def verify_newest(self) -> str:
        """Reads the newest backup of each place back. Raises CannotGoOn."""
        told = []
        for one in self.places():
            there = [backup for backup in self._live.book.backups.sound() if backup.place == one.name]
            for backup in sorted(there, key=lambda backup: backup.head)[-1:]:
                answer = await self.verify("server", backup.id, one.name)
                if answer.problems:
                    raise CannotGoOn("; ".join(answer.problems), "Make a new backup: guessbook backup create")
                told.append(f"{backup.id} at {one.name}")
        return f"read back whole: {', '.join(told)}"

    async def _made(
        self, actor: str, identity: str, place: safety_pb2.Place, told: dict[str, Any], operation: str
    ) -> None:
        """Records a backup that is there, as its process told of it, and reads it back."""
        created = BackupCreated(
            place=place.name,
            kind=told["kind"],
            head=told["head"],
            chain_hash=bytes.fromhex(told["chain_hash"]),
            files=told["files"],
            bytes=told["bytes"],
            new_bytes=told["new_bytes"],
            seconds=told["seconds"],
            offsite=place.offsite,
            encrypted=place.encrypted,
            missing=told["missing"],
        )
        if created.missing:
            _log.warning("not in the backup %s at %s, since nowhere whole: %s", identity, place.name, created.missing)
        await self._record(actor, identity, operation, backup_created=created)
        told = await self._run("verify", place, identity)
        if error := _problem(told):
            await self._fail(actor, identity, place, error, told.get("hint", ""))
        else:
            await self._record(actor, identity, operation, backup_verified=_verified(place, told))

    async def _lists(self, place: safety_pb2.Place, backup: str) -> bool:
        """Whether a place has a backup, or doesn't tell."""
        told = await self._run("list", place)
        return "error" in told or any(one["id"] == backup for one in told["backups"])

    def _places_of(self, name: str, place: str) -> list[tuple[safety_pb2.Backup, safety_pb2.Place]]:
        """The backup that is meant, at each place that has it."""
        known = {one.name: one for one in self.places()}
        known_backups = self._live.book.backups.by_place.values()
        there = [one for one in known_backups if not one.pruned_at_us and place in ("", one.place)]
        if name == "latest" and there:
            name = max(there, key=lambda backup: backup.head).id  # their times may be those of a clock that was ahead
        found = [backup for backup in there if name and backup.id.startswith(name)]
        if len({backup.id for backup in found}) > 1:
            raise Invalid(f"{len(found)} backups begin with {name}", "Give more of the id.")
        reachable = [(backup, known[backup.place]) for backup in found if backup.place in known]
        if not reachable:
            raise Missing(
                f"there is no backup {name!r}{' at ' + place if place else ''}", "`guessbook backup list` lists them."
            )
        return reachable

    def _answer(self, identity: str, places: Iterable[safety_pb2.Place]) -> safety_pb2.BackupResponse:
        names = [one.name for one in places]
        made = [backup for backup in self._live.book.backups.of(identity) if backup.place in names]
        failed = self._live.book.backups.failures.get(identity, {})
        problems = [f"{name}: {failed[name]}" for name in names if name in failed]
        sound = [backup.place for backup in made if backup.sound]
        message = f"{identity} is whole at {', '.join(sound)}." if sound else f"{identity} is nowhere whole."
        return safety_pb2.BackupResponse(id=identity, backups=made, problems=problems, message=message)

    async def _fail(self, actor: str, identity: str, place: safety_pb2.Place, error: str, hint: str) -> None:
        _log.error("backup %s at %s: %s", identity, place.name, error)
        await self._record(actor, identity, "", backup_failed=BackupFailed(place=place.name, error=error, hint=hint))

    async def _record(self, actor: str, identity: str, operation: str, **body: Any) -> None:
        correlation = f"operation/{operation}" if operation else ""
        event = Event(subject=f"{SUBJECT}{identity}", correlation=correlation, **body)
        await self._live.decide(actor, lambda book: Decision("", "", [event]))

    async def _run(self, task: str, place: safety_pb2.Place, *words: str) -> dict[str, Any]:
        """What the process told, with the `seconds` it took. Options of the place are not on its command line: they may be secret."""
        began = asyncio.get_running_loop().time()
        if place.name == config_file.LOCAL:
            try:
                self._home.backups.mkdir(exist_ok=True)
            except OSError as error:
                return {"error": f"{self._home.backups} can't be made: {error}", "seconds": 0.0}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "guessbook.store.backup_process",
            task,
            *([str(self._home.root)] if task in ("create", "remove") else []),
            *([str(self._home.backups)] if place.name == config_file.LOCAL else [f"{self._home.config}#{place.name}"]),
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, said = await _told(process)
        except TimeoutError:
            silent = f"{place.name} did not answer for {SILENCE_S // 60} minutes"
            return {"error": silent, "hint": "Look at the place and the way to it.", "seconds": SILENCE_S}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            told: dict[str, Any] = json.loads(output)
        except ValueError:
            ended = said.decode(errors="replace").strip().splitlines()[-1:] or [
                f"it ended with code {process.returncode}"
            ]
            told = {"error": f"the process that makes backups failed: {ended[0]}", "hint": "The server's log has more."}
            _log.error("the process for a backup (%s) failed: %s", task, said.decode(errors="replace"))
        return {**told, "seconds": asyncio.get_running_loop().time() - began}


async def _told(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """What the process wrote to its two streams. It says how far it is as it goes on: raises TimeoutError where it says nothing for too long."""
    assert process.stdout
    assert process.stderr
    reading = asyncio.create_task(process.stdout.read())
    said = bytearray()
    try:
        while line := await asyncio.wait_for(process.stderr.readline(), SILENCE_S):
            said += line
            del said[:-TOLD_BYTES]
        output = await asyncio.wait_for(reading, SILENCE_S)
        await process.wait()
    finally:
        reading.cancel()
    return output, bytes(said)


def _problem(told: dict[str, Any]) -> str:
    if "error" in told:
        return str(told["error"])
    return "; ".join(told.get("problems", [])) or (
        "" if told.get("ok", True) else str(told.get("problem", "it is not whole"))
    )


def _verified(place: safety_pb2.Place, told: dict[str, Any]) -> BackupVerified:
    return BackupVerified(place=place.name, files=told["files"], bytes=told["bytes"], seconds=told["seconds"])
