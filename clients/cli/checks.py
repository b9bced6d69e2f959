"""What `guessbook doctor` looks at on this machine: each check finds one thing and says what to do about it. Prints nothing."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from guessbook.clients.cli import wording
from guessbook.clients.cli.verify import check_log
from guessbook.clients.embedded import serving
from guessbook.store.home import Home
from guessbook.store.spool import ASIDE

LITTLE_DISK = 5_000_000_000  # a model, its checkpoints and an adapter take a few GB
PORTS = {"server": 7430, "dashboard": 7431}
EXTRAS = {
    "server": ["lmdb", "zstandard", "cryptography", "prometheus_client"],
    "trainer": ["torch", "transformers", "peft", "accelerate", "safetensors", "gguf"],
    "dashboard": ["dash", "dash_mantine_components", "dash_ag_grid", "uvicorn"],
}
_ASK_TORCH = (
    "import torch; c = torch.cuda; "
    "print('CUDA, ' + c.get_device_name() if c.is_available() else f'CPU only, {torch.get_num_threads()} threads')"
)


@dataclass(frozen=True)
class Finding:
    """What one check found; `advice` says what to do unless `level` is ok."""

    name: str
    level: Literal["ok", "warn", "fail"]
    message: str
    advice: str = ""


def python() -> Finding:
    return Finding("python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def extra(name: str) -> Finding:
    """Whether the packages of one extra are there, and which version its first one has."""
    missing = [module for module in EXTRAS[name] if find_spec(module) is None]
    if missing:
        advice = f"To run a {name} here: pip install 'guessbook[{name}]'"
        return Finding(name, "warn", f"not installed ({', '.join(missing)})", advice)
    first = EXTRAS[name][0]
    try:
        return Finding(name, "ok", f"installed, {first} {version(first)}")
    except PackageNotFoundError:
        return Finding(name, "warn", f"{first} has no metadata", f"pip install --force-reinstall {first}")


def accelerator() -> Finding:
    """Asks torch in a process of its own: this one stays light."""
    if find_spec("torch") is None:
        return Finding("accelerator", "warn", "torch is not installed", "Only needed where a trainer runs.")
    done = subprocess.run([sys.executable, "-c", _ASK_TORCH], check=False, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("accelerator", "fail", f"torch does not load: {last}", "Reinstall torch.")
    return Finding("accelerator", "ok", done.stdout.strip())


def home_writable(home: Home) -> Finding:
    folder = home.root
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return Finding("home", "fail", f"{folder} is not writable", "Set GUESSBOOK_HOME to a folder you may write to.")
    return Finding("home", "ok", str(home.root) if home.root.exists() else f"{home.root} (made when needed)")


def disk(home: Home) -> Finding:
    folder = home.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < LITTLE_DISK:
        return Finding("disk", "warn", f"{wording.size(free)} free", "Checkpoints and models may not fit; make room.")
    return Finding("disk", "ok", f"{wording.size(free)} free")


def port(name: str, home: Home) -> Finding:
    number = PORTS[name]
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", number)) == 0
    if taken and not serving(home):
        advice = "If that is not yours, start with another --port."
        return Finding(f"port {number}", "warn", f"taken; it is the {name}'s default", advice)
    return Finding(f"port {number}", "ok", "in use by this book's parts" if taken else f"free for the {name}")


def secrets_private(home: Home) -> Finding:
    """Whether tokens and keys are their owner's alone."""
    places = [place for place in (home.tokens, home.signing_key.parent) if place.is_dir()]
    files = [file for place in places if os.access(place, os.R_OK | os.X_OK) for file in place.iterdir()]
    open_ones = [path for path in (*places, *files) if path.stat().st_mode & 0o077 and path.suffix != ".pub"]
    if open_ones:
        names = " ".join(str(path) for path in open_ones)
        return Finding("permissions", "fail", f"others may read or write {names}", f"chmod go= {names}")
    return Finding("permissions", "ok", "tokens and keys are their owner's alone" if places else "no tokens yet")


def spools_aside(home: Home) -> Finding:
    """What trainers had to say that came back when their jobs were others' already."""
    files = sorted((home.spool / ASIDE).glob("*.sqlite"))
    if not files:
        return Finding("spools", "ok", "none was set aside")
    told = f"{len(files)} set aside in {files[0].parent}, of trainers that came back too late: {files[-1].name} was the last"
    return Finding("spools", "ok", f"{told}. The book lacks nothing; delete them when you no longer want to look")


def log_sound(home: Home) -> Finding:
    if not home.log.exists():
        return Finding("log", "ok", "none yet")
    if find_spec("lmdb") is None:
        return Finding("log", "warn", "not checked: the server extra is not installed", "guessbook verify checks it.")
    verdict = check_log(home)
    if not verdict["ok"]:
        return Finding(
            "log", "fail", verdict["problem"], "Stop the server, keep a copy, bring back log/ from a backup."
        )
    return Finding("log", "ok", f"{verdict['head']} events, all sound")


def local_checks(home: Home) -> list[Callable[[], Finding]]:
    """What is looked at on this machine, in the order it is shown."""
    return [
        python,
        *(lambda name=name: extra(name) for name in EXTRAS),
        accelerator,
        lambda: home_writable(home),
        lambda: secrets_private(home),
        lambda: disk(home),
        *(lambda name=name: port(name, home) for name in PORTS),
        lambda: spools_aside(home),
        lambda: log_sound(home),
    ]
