"""What a person must know of a run before they trust its numbers. Pure; knows no terminal and no page."""

from guessbook.proto.history_pb2 import Run


def cut(run: Run) -> str:
    """A sentence on what `max_length` took away; empty if everything fits."""
    limit = f"max_length ({run.config.max_length} tokens)"
    if run.cut_answers:
        return f"{run.cut_answers} of {run.examples} answers are longer than {limit} leaves room for and were cut: they can't come out right."
    if run.truncated_examples:
        return f"{run.truncated_examples} of {run.examples} examples are longer than {limit} and were cut."
    return ""
