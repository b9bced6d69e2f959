"""How a dataset's first rows reach the model, as a person reads it. Pure: a preview in, a renderable out."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.errors import GuessbookError
from guessbook.clients.preview import Memory, Piece, Preview, Row
from guessbook.clients.visible import visible


def rendered(preview: Preview) -> RenderableType:
    """The rows with what is given and what is trained named apart, and the memory that training takes."""
    model = wording.one_line(preview["base_model"])
    lines: list[RenderableType] = [Text(f"As {model} reads it, up to {preview['max_length']:,} tokens a row:")]
    if not preview["chat_template"]:
        lines.append(Text("The model has no chat template: a question is followed by a line break and its answer."))
    for row in preview["rows"]:
        lines += [Text(""), *_row(row)]
    if preview["memory"]:
        lines += [Text(""), _memory(preview["memory"])]
    return Group(*lines)


def missing(error: GuessbookError) -> RenderableType:
    """Why the rows are not shown as tokens."""
    return Text(visible(f"Not shown as tokens: {error}. {error.hint}"), style="yellow")


def _row(row: Row) -> list[RenderableType]:
    head = f"line {row['line']:,} · {wording.one_line(row['id'])}"
    if row["error"]:
        told = visible(f"{row['error']}. {row['hint']}")
        return [Text(head, style="bold"), Text(told, style="red")]
    head += f" · {row['tokens']:,} tokens, {row['trained_tokens']:,} of them trained"
    if not row["templated"]:
        head += " · without the chat template"
    if row["cut"]:
        head += " · cut, its answer too" if row["answer_cut"] else " · cut"
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for piece in row["pieces"]:
        grid.add_row("trained" if piece["trained"] else "given", _piece(piece))
    return [Text(head, style="bold"), grid]


def _piece(piece: Piece) -> Text:
    text = Text(visible(piece["text"]), style="green" if piece["trained"] else "")
    if piece["left_out"]:
        text.append(f" … and {piece['left_out']:,} characters more", style="yellow")
    return text


def _memory(memory: Memory) -> Text:
    parts = (
        ("weights", memory["weights"]),
        ("adapter", memory["adapter"]),
        ("activations", memory["activations"]),
        ("logits", memory["logits"]),
    )
    told = ", ".join(f"{name} {wording.size(round(size))}" for name, size in parts)
    return Text(
        f"Training takes about {wording.size(round(memory['total']))} of memory ({told}), "
        f"in {memory['dtype']} with {memory['batch_size']} examples a batch."
    )
