"""What the CLI shows of a dataset's first rows."""

from rich.console import Console, RenderableType

from guessbook.clients.cli import preview_view
from guessbook.clients.errors import Invalid
from guessbook.clients.preview import Preview, Row

ROW: Row = {
    "line": 2,
    "id": "sum\x1b[31m",
    "pieces": [
        {"text": "user: 2+2?\n\x1b[2J", "trained": False, "left_out": 12_345},
        {"text": "4<|im_end|>", "trained": True, "left_out": 0},
    ],
    "tokens": 1_024,
    "trained_tokens": 2,
    "cut": True,
    "answer_cut": False,
    "templated": True,
    "error": "",
    "hint": "",
}
PREVIEW: Preview = {
    "base_model": "org/model",
    "chat_template": True,
    "template_source": "chat_template.jinja",
    "max_length": 1_024,
    "form": "question/answer",
    "examples": 1,
    "errors": [],
    "error_count": 0,
    "rows": [ROW],
    "memory": {
        "weights": 5e8,
        "adapter": 1e8,
        "activations": 3e8,
        "logits": 1e8,
        "total": 1e9,
        "dtype": "float32",
        "batch_size": 4,
    },
}


def text(view: RenderableType) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def test_what_is_trained_is_named_without_colour_and_nothing_steers_the_terminal() -> None:
    shown = text(preview_view.rendered(PREVIEW))
    assert "As org/model reads it, up to 1,024 tokens a row:" in shown
    assert "line 2 · sum\\x1b[31m · 1,024 tokens, 2 of them trained · cut\n" in shown
    assert "given    user: 2+2?" in shown
    assert "\\x1b[2J … and 12,345 characters more" in shown
    assert "trained  4<|im_end|>" in shown
    assert "about 1.0 GB of memory (weights 500.0 MB, adapter 100.0 MB" in shown
    assert "float32 with 4 examples a batch" in shown
    assert "\x1b" not in shown


def test_a_row_that_was_refused_an_answer_that_was_cut_and_a_missing_template_are_said() -> None:
    refused: Row = {**ROW, "pieces": [], "error": "the template refuses it", "hint": "Change that record."}
    cut: Row = {**ROW, "answer_cut": True, "templated": False}
    shown = text(preview_view.rendered({**PREVIEW, "chat_template": False, "rows": [refused, cut], "memory": None}))
    assert "the template refuses it. Change that record." in shown
    assert "without the chat template · cut, its answer too" in shown
    assert "The model has no chat template" in shown
    assert "memory" not in shown


def test_why_there_are_no_tokens_is_said_with_what_to_do() -> None:
    told = text(preview_view.missing(Invalid("no base model is named", "Name one.")))
    assert told == "Not shown as tokens: no base model is named. Name one.\n"
