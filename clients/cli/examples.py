"""`guessbook examples RUN`."""

from typing import Annotated

import typer

from guessbook.clients import cautions
from guessbook.clients.cli import example_view, filtering
from guessbook.clients.cli.filtering import (
    CategoryOption,
    HeldOutOption,
    LimitOption,
    PageOption,
    SearchOption,
    StateOption,
    WithoutStateOption,
)
from guessbook.clients.cli.options import AsJson, AtOption, RunArgument
from guessbook.clients.cli.output import out, show
from guessbook.clients.cli.paging import Page
from guessbook.clients.client import Guessbook
from guessbook.clients.example_page import example_page

SORTS = "index, loss, learned, change, state, regressed, forgetting, confidence, variability, presentations"


def examples(
    run: RunArgument = "latest",
    state: StateOption = None,
    without_state: WithoutStateOption = None,
    search: SearchOption = "",
    category: CategoryOption = "",
    held_out: HeldOutOption = False,
    sort: Annotated[str, typer.Option(help=f"{SORTS}; -loss turns it round.")] = "index",
    limit: LimitOption = 100,
    page: PageOption = 1,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """List a run's examples: their states over the snapshots, loss, when they were learned, prompt and latest guess.

    Example: guessbook examples latest --state regressed --sort=-loss
    """
    shown = Page(page, limit)
    states = filtering.wanted(state, without_state)
    with Guessbook() as book:
        answer = example_page(
            book,
            run,
            at,
            states=states,
            search=search,
            category=category,
            sort=sort,
            offset=shown.offset,
            limit=limit,
            only_held_out=held_out,
        )
        caution = cautions.cut(book.run(run, at))
    show(answer, example_view.table(answer, out.width, caution, shown), as_json)
