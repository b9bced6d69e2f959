"""config.yaml of the data folder: where backups go and when, how long they and the trash are kept.

Knows the file and what may stand in it; doesn't act on it.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

LOCAL = "local"  # the place that is always there: backups/ in the data folder, on the same disk
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
    """`at`: the time of day, HH:MM, in `timezone` (an IANA name; empty: the machine's). `drill_days`: days between two drills, 0: none."""

    at: str = "03:00"
    timezone: str = ""
    drill_days: int = 7
    keep: Keep = field(default_factory=Keep)
    places: tuple[BackupPlace, ...] = ()

    @property
    def zone(self) -> tzinfo:
        if self.timezone:
            return ZoneInfo(self.timezone)
        return datetime.now(UTC).astimezone().tzinfo or UTC


@dataclass(frozen=True)
class Config:
    trash_days: int = 30
    backup: BackupConfig = field(default_factory=BackupConfig)


def parse(text: str) -> Config:
    """Raises BadConfig."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadConfig(f"it is no YAML: {error}") from error
    top = _mapping(told, "", Config)
    backup = _mapping(top.pop("backup", None), "backup", BackupConfig)
    keep = Keep(**_mapping(backup.pop("keep", None), "backup.keep", Keep))
    listed = backup.pop("places", None) or []
    if not isinstance(listed, list):
        raise BadConfig("backup.places must be a list of places, each with a name and a url")
    places = tuple(_place(one, number) for number, one in enumerate(listed))
    config = Config(**top, backup=BackupConfig(**backup, keep=keep, places=places))
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
    return shown


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


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
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


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
        *(
            (_whole(getattr(backup.keep, one), 1), f"backup.keep.{one}", "at least 1")
            for one in ("daily", "weekly", "monthly")
        ),
    ]
    for holds, key, meaning in rules:
        if not holds:
            raise BadConfig(f"{key} must be {meaning}")
    names = [place.name for place in backup.places]
    if len(set(names)) < len(names):
        raise BadConfig("two of backup.places have the same name")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _zone(name: Any) -> bool:
    if name == "":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return False
    return True
