"""The trained adapter as a version: its files go into the artifacts, its manifest into the book."""

import json
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from peft import PeftModel

from guessbook.proto.events_pb2 import File
from guessbook.proto.history_pb2 import Version
from guessbook.store.artifacts import Artifacts

FILES = ("adapter_config.json", "adapter_model.safetensors")
SLUG_LENGTH = 60


def store_adapter(model: PeftModel, artifacts: Artifacts) -> list[File]:
    """Stores the files that `PeftModel.from_pretrained` needs, durable when this returns. The same adapter gives the same bytes."""
    with tempfile.TemporaryDirectory(prefix="guessbook-adapter-") as folder:
        # The base model's embeddings are not trained, so they are not part of an adapter.
        model.save_pretrained(folder, save_embedding_layers=False)
        _order(Path(folder) / "adapter_config.json")
        paths = [Path(folder) / name for name in FILES]
        return [File(path=path.name, sha256=artifacts.put(path), bytes=path.stat().st_size) for path in paths]


def _order(file: Path) -> None:
    """PEFT writes sets in the order that they have in memory, which is another one in each process."""
    config = json.loads(file.read_text())
    for name in ("target_modules", "exclude_modules"):
        if isinstance(config.get(name), list):
            config[name].sort()
    file.write_text(json.dumps(config, indent=2, sort_keys=True))


@contextmanager
def adapter_folder(version: Version, artifacts: Artifacts) -> Iterator[Path]:
    """A version's files in a folder for the time being, as PEFT reads them. Raises MissingArtifact, DamagedArtifact."""
    with tempfile.TemporaryDirectory(prefix="guessbook-adapter-") as folder:
        for file in version.files:
            (Path(folder) / file.path).write_bytes(artifacts.verified_path(file.sha256).read_bytes())
        yield Path(folder)


def slug(name: str) -> str:
    """A dataset's name as a part of a folder's name: "Math fixes.jsonl" becomes "math_fixes"."""
    ascii_name = unicodedata.normalize("NFKD", PurePath(name).stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")[:SLUG_LENGTH].rstrip("_")
