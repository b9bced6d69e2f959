import hashlib
from pathlib import Path

import pytest

from guessbook.trainer.base_model import load_base_model, weights_sha256
from guessbook.trainer.errors import UnusableModel


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "nowhere.gguf"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="there is no model at") as caught:
        load_base_model(name, "float32", tmp_path)
    assert "base_model" in caught.value.hint


def test_a_folder_without_a_model_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="can't be loaded as a causal language model") as caught:
        load_base_model(str(tmp_path), "float32", tmp_path)
    assert "GGUF" in caught.value.hint or "gguf" in caught.value.hint


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="float8"):
        load_base_model(str(tmp_path), "float8", tmp_path)


def test_the_weights_have_one_hash_over_all_their_files(tmp_path: Path) -> None:
    assert weights_sha256(tmp_path) == ""
    (tmp_path / "b.safetensors").write_bytes(b"2")
    (tmp_path / "a.safetensors").write_bytes(b"1")
    (tmp_path / "config.json").write_text("{}")
    one, two = (hashlib.sha256(part).hexdigest() for part in (b"1", b"2"))
    lines = f"{one}  a.safetensors\n{two}  b.safetensors\n"
    assert weights_sha256(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
