"""config.yaml of the data folder: where backups go and when, how long they and the trash are kept, what the inbox takes, which hooks run.

Knows the file and what may stand in it; doesn't act on it.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from guessbook.proto.events_pb2 import Event, Priority

LOCAL = "local"  # the place that is always there: backups/ in the data folder, on the same disk
PRIORITIES = {name.removeprefix("PRIORITY_").lower(): number for name, number in Priority.items() if number}
REGRESSION = "regression"  # a snapshot that shows more regressed examples than the one before
# There are too many of these, and a hook that its own record sets off would never end.
_NO_HOOK = {"step_completed", "examples_observed", "examples_registered", "hook_ran"}
HOOK_EVENTS = {REGRESSION} | {one.name for one in Event.DESCRIPTOR.oneofs_by_name["body"].fields} - _NO_HOOK
_PLACE_TYPES: tuple[tuple[str, type, str], ...] = (
    ("offsite", bool, "true or false"),
    ("key_file", str, "a path"),
    ("options", dict, "a mapping"),
)


class BadConfig(ValueError):
    """config.yaml says something that can't be; the message names the key, and the nearest one that can."""


@dataclass(frozen=True)
class BackupPlace:
    """`url`: a folder, or any URL of fsspec (`sftp://host/path`, `s3://bucket/path`). `options`: what fsspec's file system takes.

    `key_file`: the file that holds the key of this place's copies; empty: they are plain.
    """

    name: str
    url: str
    offsite: bool = False
    key_file: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Keep:
    """How many backups of each age are kept at a place."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


@dataclass(frozen=True)
class BackupConfig:
    """`at`: the time of day, HH:MM, in `timezone` (an IANA name; empty: the machine's). `drill_days`: days between two drills, 0: none.

    `prune`: whether what `keep` lets go is removed without being asked for, once a week.
    """

    at: str = "03:00"
    timezone: str = ""
    drill_days: int = 7
    prune: bool = True
    keep: Keep = field(default_factory=Keep)
    places: tuple[BackupPlace, ...] = ()

    @property
    def zone(self) -> tzinfo:
        if self.timezone:
            return ZoneInfo(self.timezone)
        return datetime.now(UTC).astimezone().tzinfo or UTC


@dataclass(frozen=True)
class InboxConfig:
    """`priority`: of the files in inbox/priority. `settled_s`: a file that nobody has changed for so many seconds is complete.

    `max_bytes`: larger files are rejected, since reading one takes its size in memory. `skip_bad_lines`: what a sidecar may also say, for all files.
    """

    enabled: bool = True
    priority: str = "high"
    settled_s: float = 2.0
    max_bytes: int = 2_000_000_000
    skip_bad_lines: bool = False


@dataclass(frozen=True)
class Hook:
    """A shell command, or the URL that an event is sent to, and the events (their names in events.proto, or "regression") that it waits for."""

    name: str
    events: tuple[str, ...]
    command: str = ""
    webhook: str = ""
    timeout_s: float = 60.0


@dataclass(frozen=True)
class Config:
    trash_days: int = 30
    backup: BackupConfig = field(default_factory=BackupConfig)
    inbox: InboxConfig = field(default_factory=InboxConfig)
    hooks: tuple[Hook, ...] = ()


def parse(text: str) -> Config:
    """Raises BadConfig."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadConfig(f"it is no YAML: {error}") from error
    top = _mapping(told, "", Config)
    backup = _mapping(top.pop("backup", None), "backup", BackupConfig)
    keep = Keep(**_mapping(backup.pop("keep", None), "backup.keep", Keep))
    listed = _list(backup.pop("places", None), "backup.places must be a list of places, each with a name and a url")
    places = tuple(_place(one, number) for number, one in enumerate(listed))
    inbox = InboxConfig(**_mapping(top.pop("inbox", None), "inbox", InboxConfig))
    listed = _list(top.pop("hooks", None), "hooks must be a list, each with a name, events, and a command or a webhook")
    hooks = tuple(_hook(one, number) for number, one in enumerate(listed))
    config = Config(**top, backup=BackupConfig(**backup, keep=keep, places=places), inbox=inbox, hooks=hooks)
    _check(config)
    return config


def read(path: Path) -> tuple[Config, str]:
    """The config and its text; the defaults where there is no file. Raises BadConfig, which names the file."""
    try:
        text = path.read_text(encoding="utf-8")
        return parse(text), text
    except FileNotFoundError:
        return Config(), ""
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not UTF-8 text: {error}") from error
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from error


def write(path: Path, text: str) -> None:
    """Replaces the file as a whole, durably."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}-", encoding="utf-8", delete=False
    ) as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(out.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def told(config: Config) -> dict[str, Any]:
    """The config as the log may show it: what is secret is left out."""
    shown = asdict(config)
    for place in shown["backup"]["places"]:
        place["url"] = without_password(place["url"])
        place["options"] = dict.fromkeys(
            place["options"], "…"
        )  # which of them are secret, only their file system knows
    for hook in shown["hooks"]:
        _mask_hook(hook)
    return shown


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


def _mask_hook(hook: dict[str, Any]) -> None:
    """A command may hold a secret, and a webhook's path often is one."""
    if hook.get("command"):
        hook["command"] = "…"
    if hook.get("webhook"):
        parts = urlsplit(hook["webhook"])
        hook["webhook"] = f"{parts.scheme}://{parts.hostname}/…"


def masked(text: str) -> str:
    """A config's text with what is secret left out; comments are lost. Raises BadConfig."""
    if not text.strip():
        return text
    parse(text)
    shown = yaml.safe_load(text)
    for place in (shown.get("backup") or {}).get("places") or []:
        place["url"] = without_password(place["url"])
        if place.get("options"):
            place["options"] = dict.fromkeys(place["options"], "…")
    for hook in shown.get("hooks") or []:
        _mask_hook(hook)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _list(value: Any, otherwise: str) -> list[Any]:
    if not isinstance(value or [], list):
        raise BadConfig(otherwise)
    return value or []


def _mapping(value: Any, where: str, of: type) -> dict[str, Any]:
    """A mapping whose keys are the fields of a dataclass."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"{where or 'the file'} must be a mapping of names to values, it is {value!r}")
    known = [one.name for one in fields(of)]
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise BadConfig(f"{where + '.' if where else ''}{key} is unknown; {meant}")
    return dict(value)


def _place(value: Any, number: int) -> BackupPlace:
    where = f"backup.places[{number}]"
    given = _mapping(value, where, BackupPlace)
    for key in ("name", "url"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise BadConfig(f"{where} needs a {key}")
    place = BackupPlace(**given)
    for key, kind, meaning in _PLACE_TYPES:
        if not isinstance(getattr(place, key), kind):
            raise BadConfig(f"{where}.{key} must be {meaning}")
    if place.name == LOCAL or "/" in place.name:
        raise BadConfig(f"{where}.name can't be {place.name!r}: that means another place")
    return place


def _hook(value: Any, number: int) -> Hook:
    where = f"hooks[{number}]"
    if isinstance(value, dict) and True in value:
        raise BadConfig(f"{where}.on is unknown (YAML reads it as true); did you mean events?")
    given = _mapping(value, where, Hook)
    known = sorted(HOOK_EVENTS)
    rules = [
        (_named(given.get("name")), "name", "a name without / and white space"),
        (_texts(given.get("events")), "events", "a list of events' names"),
        (isinstance(given.get("command", ""), str), "command", "a shell command"),
        (_http(given.get("webhook", "")), "webhook", "a URL that begins with https:// or http://"),
        (bool(given.get("command")) != bool(given.get("webhook")), "command", "there, or a webhook, and not both"),
        (_number(given.get("timeout_s", 1), 0, 3600), "timeout_s", "a number of seconds above 0, at most 3600"),
    ]
    _hold(rules, f"{where}.")
    for event in given["events"]:
        if event not in HOOK_EVENTS:
            near = get_close_matches(event, known, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise BadConfig(f"{where}.events: {event} is unknown; {meant}")
    return Hook(**{**given, "events": tuple(given["events"])})


def _check(config: Config) -> None:
    backup = config.backup
    rules = [
        (_whole(config.trash_days, 0), "trash_days", "a number of days, at least 0"),
        (
            bool(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", str(backup.at))),
            "backup.at",
            'a time of day such as "03:00", in quotes',
        ),
        (_zone(backup.timezone), "backup.timezone", "an IANA name such as Europe/Zurich, or empty"),
        (_whole(backup.drill_days, 0), "backup.drill_days", "a number of days, 0 for none"),
        (isinstance(backup.prune, bool), "backup.prune", "true or false"),
        *(
            (_whole(getattr(backup.keep, one), 1), f"backup.keep.{one}", "at least 1")
            for one in ("daily", "weekly", "monthly")
        ),
    ]
    inbox = config.inbox
    rules += [
        (isinstance(inbox.enabled, bool), "inbox.enabled", "true or false"),
        (str(inbox.priority) in PRIORITIES, "inbox.priority", f"one of {', '.join(PRIORITIES)}"),
        (_number(inbox.settled_s, 0, 3600), "inbox.settled_s", "a number of seconds above 0, at most 3600"),
        (_whole(inbox.max_bytes, 1), "inbox.max_bytes", "a number of bytes, at least 1"),
        (isinstance(inbox.skip_bad_lines, bool), "inbox.skip_bad_lines", "true or false"),
    ]
    _hold(rules)
    names = [place.name for place in backup.places]
    if len(set(names)) < len(names):
        raise BadConfig("two of backup.places have the same name")
    names = [hook.name for hook in config.hooks]
    if len(set(names)) < len(names):
        raise BadConfig("two of hooks have the same name")


def _hold(rules: Iterable[tuple[Any, str, str]], where: str = "") -> None:
    for holds, key, meaning in rules:
        if not holds:
            raise BadConfig(f"{where}{key} must be {meaning}")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any, above: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most


def _named(name: Any) -> bool:
    return isinstance(name, str) and bool(name) and not re.search(r"[\s/]", name)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _http(url: Any) -> bool:
    return url == "" or (
        isinstance(url, str) and urlsplit(url).scheme in ("https", "http") and bool(urlsplit(url).hostname)
    )


def _zone(name: Any) -> bool:
    if name == "":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return False
    return True
