import hashlib
from pathlib import Path

import pytest
import torch

from guessbook.trainer.base_model import load_base_model, located, weights_sha256
from guessbook.trainer.errors import UnusableModel, UnusableSetting


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


@pytest.mark.parametrize("name", ["model.safetensors", "part.safetensors"])
def test_what_lies_beside_the_weights_and_is_not_loaded_does_not_count(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    if name != "model.safetensors":
        (tmp_path / "model.safetensors.index.json").write_text(f'{{"weight_map": {{"w": "{name}"}}}}')
    before = weights_sha256(tmp_path)
    (tmp_path / "consolidated.safetensors").write_bytes(b"2")
    assert weights_sha256(tmp_path) == before != ""


def test_a_merged_version_lies_in_this_data_folder(tmp_path: Path) -> None:
    versions = tmp_path / "models" / "versions"
    name = "v002_20261122_sums_merged"
    assert located(f"version/{name}", versions) == str(versions / name)
    assert located("org/model@main", versions) == "org/model@main"


def test_the_path_that_an_older_log_has_is_that_folder_or_the_one_here(tmp_path: Path) -> None:
    here, there = tmp_path / "new" / "models" / "versions", tmp_path / "old" / "models" / "versions"
    name = "v002_20261122_sums_merged"
    (here / name).mkdir(parents=True)
    assert located(str(there / name), here) == str(here / name)
    (there / name).mkdir(parents=True)
    assert located(str(there / name), here) == str(there / name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for what a machine without a GPU can't do")
def test_four_bits_without_a_gpu_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSetting, match="load_in_4bit needs a GPU"):
        load_base_model(str(tmp_path), "bfloat16", tmp_path, load_in_4bit=True)
