"""A job's config as YAML: the names people use, and what is said of what can't be."""

import pytest

from guessbook.proto.events_pb2 import PRIORITY_HIGH, Needs, TrainingConfig
from guessbook.store.config import BadConfig
from guessbook.store.job_config import ALIASES, JobConfig, read, size

WHOLE = """\
model_name_or_path: Qwen/Qwen2.5-0.5B   # a Hugging Face id
from: v002
target_modules: [q_proj, v_proj]
lora_r: 8
learning_rate: 2e-4
num_train_epochs: 2
max_steps: 1_000
snapshots: false
snapshot_steps: 10, 20
torch_dtype: bfloat16
seed:
name: facts, once more
priority: high
after: train_1
devices: 2
memory: 40 GB
preempt: true
held_out: exam.jsonl
"""


def test_a_file_says_how_to_train_and_how_to_queue() -> None:
    assert read(WHOLE) == JobConfig(
        config=TrainingConfig(
            base_model="Qwen/Qwen2.5-0.5B",
            from_version="v002",
            lora_target_modules=["q_proj", "v_proj"],
            lora_r=8,
            learning_rate=2e-4,
            num_train_epochs=2.0,
            max_steps=1000,
            snapshots=False,
            snapshot_steps=[10, 20],
            dtype="bfloat16",
        ),
        name="facts, once more",
        priority=PRIORITY_HIGH,
        after=("train_1",),
        needs=Needs(devices=2, memory_bytes=40_000_000_000),
        preempt=True,
        held_out="exam.jsonl",
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "lora_r: null\n"])
def test_a_file_that_says_nothing_leaves_everything_to_the_server(text: str) -> None:
    assert read(text) == JobConfig()


def test_every_other_name_is_one_of_a_field() -> None:
    assert set(ALIASES.values()) <= set(TrainingConfig.DESCRIPTOR.fields_by_name)


def test_words_for_nothing_are_empty_lists() -> None:
    assert read("target_modules: all-linear\nreport_to: none\n") == JobConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora_r: 8\nlerning_rate: 1\n", "line 2: lerning_rate is unknown; did you mean learning_rate"),
        ("xyzzy: 1", "line 1: xyzzy is unknown; docs/control.md lists the keys"),
        ("learning_rate: fast", "line 1: learning_rate can't be 'fast'; it takes a number"),
        ("max_steps: -5", "line 1: max_steps can't be -5; it takes a whole number, at least 0"),
        ("lora_r: 1.5", "line 1: lora_r can't be 1.5; it takes a whole number"),
        ("lora_r: .inf", "line 1: lora_r can't be inf"),
        ("lora_r: 99999999999", "line 1: lora_r can't be 99999999999"),
        ("lora_r: true", "line 1: lora_r can't be True"),
        ("snapshots: 1", "line 1: snapshots can't be 1; it takes true or false"),
        ("base_model: [a]", r"line 1: base_model can't be \['a'\]; it takes a text"),
        ("snapshot_steps: [1, two]", "line 1: snapshot_steps can't be"),
        ("priority: now", "line 1: priority can't be 'now'; it takes low, normal, high or urgent"),
        ("memory: lots", "line 1: memory can't be 'lots'; it takes a size such as 40GB"),
        ("lora_r: 8\nlora_rank: 8", "line 2: lora_rank says again what line 1 says"),
        ("- lora_r", "it must be a mapping"),
        ("lora_r: [", "it is no YAML"),
        ("name: 2024-13-45", "it is no YAML"),
        ("name: &a [*a]", "it is no YAML"),
        ("? [lora_r]\n: 8", "is unknown"),
        ("a\x00", "it is no YAML"),
        ("lora_r: !!bool maybe", "it is no YAML"),
        ('name: "\\ud800"', r"line 1: name can't be '\\ud800'; it takes a text"),
        ('"\\ud800": 1', r"line 1: \\ud800 is unknown"),
        ('held_out: "a\\0"', "line 1: held_out can't be"),
        ("[" * 5000, "it is no YAML"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        read(text)


def test_a_small_file_that_means_a_huge_list_is_told_in_a_short_message() -> None:
    bomb = "\n".join([f"- &l0 [{'x, ' * 9}]", *(f"- &l{n} [{f'*l{n - 1}, ' * 9}]" for n in range(1, 9))])
    indented = "\n".join(f"  {line}" for line in bomb.splitlines())
    with pytest.raises(BadConfig, match="line 1: name can't be") as raised:
        read(f"name:\n{indented}\n")
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    ("text", "number"), [("40GB", 40 * 10**9), ("1.5 GiB", 3 * 2**29), ("512mb", 512 * 10**6), (7, 7)]
)
def test_sizes_are_as_people_write_them(text: str | int, number: int) -> None:
    assert size(text) == number
