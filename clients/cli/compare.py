"""`guessbook compare A B`."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from guessbook.clients.cli import compare_view
from guessbook.clients.cli.filtering import LimitOption, PageOption
from guessbook.clients.cli.options import AsJson, AtOption
from guessbook.clients.cli.output import show
from guessbook.clients.cli.paging import Page
from guessbook.clients.client import Guessbook
from guessbook.proto.history_pb2 import Change, RunStep, Stage

_VERSION = re.compile(r"v\d{3,}_")


class Changed(StrEnum):
    """What became of an example, as people write it; the names are those of the .proto, without its prefix."""

    FIXED = "fixed"
    BROKEN = "broken"
    STILL_WRONG = "still-wrong"
    STILL_RIGHT = "still-right"

    def number(self) -> "Change.ValueType":
        return Change.Value(f"CHANGE_{self.name}")


def parse_stage(text: str) -> Stage:
    """A stage of the model: a version's name, "RUN@STEP", or a run as it is; "latest" is the newest run."""
    run, at, step = text.rpartition("@")
    if at:
        if not run or not step.isdecimal() or int(step) >= 2**64:
            raise typer.BadParameter(f"{text!r} is no stage: a version, a run, or RUN@STEP such as latest@0")
        return Stage(run_step=RunStep(run=run, step=int(step)))
    return Stage(version=text) if _VERSION.match(text) else Stage(run=text)


STAGE = "A version, a run, or RUN@STEP such as latest@0."


def compare(
    before: Annotated[Stage, typer.Argument(metavar="A", parser=parse_stage, help=STAGE)],
    after: Annotated[Stage, typer.Argument(metavar="B", parser=parse_stage, help=STAGE)],
    only: Annotated[list[Changed] | None, typer.Option(help="Only these. May be repeated.")] = None,
    search: Annotated[str, typer.Option(metavar="TEXT", help="In the prompt, the expected answer or a guess.")] = "",
    limit: LimitOption = 20,
    page: PageOption = 1,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare two stages of the model example by example: what was fixed, what was broken, and both guesses.

    Example: guessbook compare latest@0 latest --only broken
    """
    changes: Sequence[Change.ValueType] = [one.number() for one in only or []]
    shown = Page(page, limit)
    with Guessbook() as book:
        answer = book.compare(before, after, at, changes=changes, search=search, offset=shown.offset, limit=limit)
    show(answer, compare_view.comparison(answer, shown), as_json)
