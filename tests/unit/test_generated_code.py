"""proto/gen is what `make proto` generates, and no change of the schema breaks an event that was ever written."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.json_format import MessageToDict

from guessbook.proto import events_pb2

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
BODIES = [field.name for field in events_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields]


def golden_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_code_is_not_stale(tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    # -o: what is installed is taken as it is; the test never installs anything.
    command = ["make", "-o", ".venv/.dev", "-o", ".ns", "proto", f"PROTO_OUT={tmp_path}", f"BIN={tools}"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_text() for path in (tmp_path / "guessbook" / "proto").iterdir()}
    committed = {path.name: path.read_text() for path in (ROOT / "proto" / "gen").glob("*_pb2*.py*")}
    assert made.keys() == committed.keys()
    stale = [name for name in made if made[name] != committed[name]]
    assert not stale, "run `make proto`"


@pytest.mark.parametrize("body", BODIES)
def test_an_event_written_once_is_read_for_ever(body: str) -> None:
    binary = GOLDEN / f"{body}.bin"
    assert binary.exists(), "a new kind of event: run `python tests/golden/make.py`"
    event = events_pb2.Event.FromString(binary.read_bytes())
    assert MessageToDict(event, preserving_proto_field_name=True) == json.loads(binary.with_suffix(".json").read_text())
    assert event.SerializeToString(deterministic=True) == binary.read_bytes()


def test_no_kind_of_event_was_taken_away() -> None:
    assert {path.stem for path in GOLDEN.glob("*.bin")} <= set(BODIES)


def test_the_schema_only_ever_adds() -> None:
    now = golden_script().schema()
    baseline = json.loads((GOLDEN / "schema.json").read_text())
    broken = [
        f"{message}.{number} was {was!r}, is {now.get(message, {}).get(number)!r}"
        for message, fields in baseline.items()
        for number, was in fields.items()
        if now.get(message, {}).get(number) != was
    ]
    assert not broken
