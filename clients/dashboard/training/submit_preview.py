"""A dataset before it is queued, as a person looks at it: what was found, what can't be read, its first rows, and what of them is trained. Pure."""

from dash import html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers
from guessbook.clients.preview import Memory, Piece, Preview, Row
from guessbook.clients.visible import visible
from guessbook.proto.control_pb2 import SubmitJobResponse
from guessbook.proto.history_pb2 import Example

BAD_LINES = 20  # shown
TEXT = 600  # characters of a prompt or an answer
REFUSED = "\nIt would be refused: "  # how a dry run's report goes on if the file is fine and the job is not


def found(answer: SubmitJobResponse) -> list[Component]:
    """The form, how many examples, which lines are bad and why, why the job would be refused, and the first examples as they were read."""
    _, would_be, why = answer.report.rpartition(REFUSED)
    plural = "" if answer.examples == 1 else "s"
    facts = [
        html.Strong(f"{numbers.count(answer.examples)} example{plural}"),
        html.Span(f"of the form {answer.form}" if answer.form else "of no known form"),
        html.Span(f"in {numbers.count(answer.lines)} lines"),
    ]
    return [
        html.Div(facts, className="submit-facts"),
        *([_bad_lines(answer)] if answer.error_count else []),
        *([html.P(visible(f"{would_be.strip()} {why}"), className="submit-problem")] if would_be else []),
        *(
            [
                html.H3(f"First examples, {len(answer.preview)} of {numbers.count(answer.examples)}"),
                html.Div([_example(example) for example in answer.preview], className="submit-examples"),
            ]
            if answer.preview
            else []
        ),
    ]


def rendered(preview: Preview) -> list[Component]:
    """The rows as the base model gets them, with what is trained marked."""
    template = (
        "with its chat template"
        if preview["chat_template"]
        else "which has no chat template: a question is followed by a line break and its answer"
    )
    return [
        html.H3(f"As {preview['base_model'].rpartition('/')[2]} reads it, {template}", title=preview["base_model"]),
        html.Div(
            className="legend",
            children=[
                html.Span([html.Span("given", className="piece")]),
                html.Span([html.Span("trained", className="piece trained")]),
            ],
        ),
        *(_row(row) for row in preview["rows"]),
        *([html.P(_memory(preview["memory"]), className="dim")] if preview["memory"] else []),
    ]


def missing(why: str) -> list[Component]:
    """Why the rows are not shown as tokens, which is no reason not to submit them."""
    return [html.P(f"How the model reads it can't be shown here. {why}", className="dim")]


def _bad_lines(answer: SubmitJobResponse) -> Component:
    shown = answer.errors[:BAD_LINES]
    head = f"{numbers.count(answer.error_count)} of {numbers.count(answer.lines)} lines can't be read"
    return html.Div(
        className="bad-lines",
        children=[
            html.Strong(head),
            html.Ul([html.Li(f"Line {numbers.count(one.line)}: {visible(one.reason)}") for one in shown]),
            *(
                [html.P(f"{len(shown)} of {numbers.count(answer.error_count)} shown", className="dim")]
                if answer.error_count > len(shown)
                else []
            ),
            html.P("Mend them and choose the file again, or leave them out (below)."),
        ],
    )


def _example(example: Example) -> Component:
    return html.Div(
        className="submit-example",
        children=[
            html.Pre(_cut(example.prompt or "–"), className="given", dir="auto"),
            html.Span(className="icon icon-right-page"),
            html.Pre(_cut(example.expected), className="expected", dir="auto"),
        ],
    )


def _cut(text: str) -> str:
    shown = visible(text[:TEXT])
    return shown if len(text) <= TEXT else f"{shown} … and {numbers.count(len(text) - TEXT)} characters more"


def _row(row: Row) -> Component:
    if row["error"]:
        told = visible(f"Line {numbers.count(row['line'])}: {row['error']}. {row['hint']}")
        return html.P(told, className="submit-problem")
    notes = [
        f"line {numbers.count(row['line'])}",
        f"{numbers.count(row['tokens'])} tokens, {numbers.count(row['trained_tokens'])} of them trained",
        "" if row["templated"] else "without the chat template",
        ("cut, its answer too" if row["answer_cut"] else "cut") if row["cut"] else "",
    ]
    return html.Div(
        className="submit-row",
        children=[
            html.Span(" · ".join(note for note in notes if note), className="dim"),
            html.Pre([part for piece in row["pieces"] for part in _piece(piece)], className="pieces"),
        ],
    )


def _piece(piece: Piece) -> list[Component]:
    shown: list[Component] = [
        html.Span(visible(piece["text"]), className="piece trained" if piece["trained"] else "piece")
    ]
    if piece["left_out"]:
        shown.append(html.Span(f" … and {numbers.count(piece['left_out'])} characters more ", className="dim"))
    return shown


def _memory(memory: Memory) -> str:
    return (
        f"Training takes about {numbers.size(round(memory['total']))} of memory, in {memory['dtype']} with "
        f"{memory['batch_size']} examples a batch."
    )
