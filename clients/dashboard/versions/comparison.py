"""Two versions side by side, example by example: what was fixed, what broke, both guesses and what changed between them.

What a model says is only ever a text node.
"""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import numbers, words
from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.versions.choice import START, Choice, named
from guessbook.clients.dashboard.versions.link import to_view
from guessbook.clients.visible import visible
from guessbook.proto.history_pb2 import (
    CHANGE_BROKEN,
    CHANGE_FIXED,
    CHANGE_STILL_RIGHT,
    CHANGE_STILL_WRONG,
    Change,
    ComparedExample,
    CompareResponse,
    Observation,
    RunStep,
    Stage,
    Version,
)

PAGE = 20  # examples
LONGEST_TEXT = 2_000  # characters of one text; the example's own page has all

# The word in the URL, the label, and a mark that tells what the colour tells.
KINDS: tuple[tuple["Change.ValueType", str, str, str], ...] = (
    (CHANGE_FIXED, "fixed", "Fixed", "✗ → ✓"),
    (CHANGE_BROKEN, "broken", "Broken", "✓ → ✗"),
    (CHANGE_STILL_WRONG, "still_wrong", "Still wrong", "✗ → ✗"),
    (CHANGE_STILL_RIGHT, "still_right", "Still right", "✓ → ✓"),
)


def layout() -> Component:
    return html.Section(
        className="card comparison",
        children=[
            html.Div(
                className="card-head tools",
                children=[
                    html.H2(id="compare-title"),
                    dmc.Select(
                        id="compare-with",
                        data=[],
                        value=None,
                        searchable=True,
                        allowDeselect=False,
                        size="xs",
                        **{"aria-label": "Compare with"},
                    ),
                    dmc.TextInput(
                        id="compare-search",
                        placeholder="Search prompts, answers and guesses",
                        leftSection=html.Span(className="icon icon-search"),
                        size="xs",
                        className="search",
                        debounce=250,
                        value="",
                        **{"aria-label": "Search the compared examples"},
                    ),
                ],
            ),
            html.Div(id="comparison"),
            dcc.Store(id="compared"),
        ],
    )


def options(version: Version, versions: Sequence[Version]) -> list[dict[str, str]]:
    """What a version can be compared with."""
    others = [
        {"value": other.name, "label": f"with {other.name}{' (latest)' if other.latest else ''}"}
        for other in versions
        if other.name != version.name
    ]
    return [{"value": START, "label": "with its own start, step 0"}, *others]


def stages(version: Version, other: str, versions: list[Version]) -> tuple[Stage, Stage, str]:
    """Before, after and a title. Of two versions the older one is what came before."""
    after = Stage(version=version.name)
    if other == START:
        return Stage(run_step=RunStep(run=version.run, step=0)), after, f"{_short(version.name)} since its start"
    found = named(versions, other)
    before = Stage(version=found.name if found else other)
    if found and found.number > version.number:
        return after, before, f"{_short(version.name)} → {_short(found.name)}"
    return before, after, f"{_short(found.name if found else other)} → {_short(version.name)}"


def _short(name: str) -> str:
    return name.partition("_")[0]


def section(answer: CompareResponse, choice: Choice, search: str | None) -> list[Component]:
    """The counts, which filter, then a page of examples."""
    both = sum(count.count for count in answer.counts)
    if not both:
        return [html.P("No example was observed in both, so there is nothing to compare.", className="dim")]
    return [
        html.Div(_counts(answer, both, choice, search), className="compare-counts"),
        *_apart(answer),
        html.Ol([_row(example, answer.after.run, choice.at) for example in answer.examples], className="compared"),
        _pages(answer, both, choice, search),
    ]


def _counts(answer: CompareResponse, both: int, choice: Choice, search: str | None) -> list[Component]:
    counted = {count.change: count.count for count in answer.counts}
    chips = []
    for change, word, label, mark in KINDS:
        many = counted.get(change, 0)
        chosen = choice.change == word
        content = [
            html.Span(mark, className="change-mark"),
            html.Span(label),
            html.Strong(numbers.count(many)),
            html.Span(numbers.share(many, both), className="dim"),
        ]
        kind = f"change-count {word}"
        chips.append(
            to_view(content, search, chosen=chosen, className=kind, change=None if chosen else word, page=None)
        )
    return [
        *chips,
        html.Span(
            [
                "Mean loss ",
                html.Strong(f"{numbers.loss(answer.mean_loss_before)} → {numbers.loss(answer.mean_loss_after)}"),
            ],
            className="mean-loss",
        ),
    ]


def _apart(answer: CompareResponse) -> list[Component]:
    told = [
        f"{numbers.count(many)} examples were observed only {where}"
        for many, where in ((answer.only_before, "before"), (answer.only_after, "after"))
        if many
    ]
    return [html.P(f"{' and '.join(told)}; they are not compared.", className="job-note")] if told else []


def _pages(answer: CompareResponse, both: int, choice: Choice, search: str | None) -> Component:
    first = (choice.page - 1) * PAGE
    last = first + len(answer.examples)
    told = (
        f"{numbers.count(first + 1)}–{numbers.count(last)} of {numbers.count(answer.matching)}"
        if answer.examples
        else "No example matches"
    )
    filtered = "" if answer.matching == both else f", {numbers.count(both)} compared"
    named_nav: dict[str, Any] = {"aria-label": "Pages of the comparison"}
    return html.Nav(
        className="compare-pages",
        children=[
            *([to_view("Previous", search, className="link", page=choice.page - 1)] if choice.page > 1 else []),
            html.Span(told + filtered, className="dim", role="status"),
            *([to_view("Next", search, className="link", page=choice.page + 1)] if last < answer.matching else []),
        ],
        **named_nav,
    )


def _row(example: ComparedExample, run: str, at: int | None) -> Component:
    _, word, label, mark = next(kind for kind in KINDS if kind[0] == example.change)
    its_page = href("/example", at, run=run, example=example.index)
    return html.Li(
        className=f"compared-row {word}",
        children=[
            html.Div(
                className="compared-head",
                children=[
                    html.Span(mark, className="change-mark", title=label),
                    dcc.Link(_cut(example.id), href=its_page, className="link"),
                    html.Span(label, className="dim"),
                    html.Span(
                        f"loss {numbers.loss(example.before.loss)} → {numbers.loss(example.after.loss)}",
                        className="dim",
                    ),
                ],
            ),
            html.Div(_cut(example.prompt), className="compared-prompt", dir="auto"),
            html.Dl(
                [
                    *_line("Expected", [html.Span(_cut(example.expected), dir="auto")]),
                    *_line("Before", _guess(example.before)),
                    *_line("After", _changed(example.before, example.after)),
                ],
                className="compared-guesses",
            ),
        ],
    )


def _line(name: str, content: list[Component]) -> list[Component]:
    return [html.Dt(name), html.Dd(content)]


def _guess(seen: Observation) -> list[Component]:
    return [html.Span(_cut(seen.guess), dir="auto")] if seen.guess else [html.Span("(nothing)", className="dim")]


def _changed(before: Observation, after: Observation) -> list[Component]:
    if before.guess == after.guess:
        return [html.Span("the same", className="dim")]
    if not after.guess or len(before.guess) + len(after.guess) > LONGEST_TEXT:
        return _guess(after)
    tags = {"same": html.Span, "added": html.Ins, "removed": html.Del}
    parts = words.diff(visible(before.guess), visible(after.guess))
    return [html.Span([tags[part.kind](part.text) for part in parts], dir="auto")]


def _cut(text: str) -> str:
    shown = visible(text[:LONGEST_TEXT])
    return (
        shown if len(text) <= LONGEST_TEXT else f"{shown} … {numbers.count(len(text) - LONGEST_TEXT)} more characters"
    )
