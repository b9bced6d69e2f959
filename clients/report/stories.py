"""Examples on the page: in the table of an insight, and with the whole story of their guesses. Knows the messages and the markup."""

from collections.abc import Sequence

from guessbook.clients.dashboard import numbers, words
from guessbook.clients.dashboard.states import shown
from guessbook.clients.report import charts
from guessbook.clients.report.markup import Markup, tag
from guessbook.proto.history_pb2 import Example, Insight, Observation, Trajectory

SHORT, LONG = 420, 2000  # characters of a text in a table, and in a story
KEPT = 1 / 3  # with less than this in common, marks only make two texts harder to read


def table(insight: Insight, trajectories: dict[int, Trajectory], many: int) -> Markup:
    """The clearest examples of an insight: what was asked, expected, guessed at first and guessed now."""
    rows = []
    for index, detail in list(zip(insight.example_index, insight.detail, strict=True))[:many]:
        trajectory = trajectories[index]
        example, seen = trajectory.example, trajectory.observations
        rows.append(
            tag(
                "tr",
                tag("th", tag("span", f"#{index}", class_="number"), _id(example), scope="row"),
                tag("td", _words(example.prompt, SHORT)),
                tag("td", _words(example.expected, SHORT)),
                tag("td", _words(seen[0].guess, SHORT) if seen else "–"),
                tag("td", *_now(seen[-1], example.expected) if seen else "–"),
            )
        )
        rows.append(tag("tr", tag("td", detail, colspan=5, class_="detail data")))
    head = tag(
        "tr",
        *[tag("th", name, scope="col") for name in ("example", "prompt", "expected", "guess at first", "guess now")],
    )
    more = insight.count - min(many, len(insight.example_index))
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *rows), class_="examples"),
        tag("p", f"and {more:,} more: guessbook insights --json names them", class_="dim") if more else None,
        class_="scroll",
    )


def told(trajectory: Trajectory) -> Markup:
    """One example with every guess, oldest first, each with what changed since the one before."""
    example, seen = trajectory.example, trajectory.observations
    state = shown(example.state)
    befores: list[Observation | None] = [None, *seen[:-1]]
    facts = [
        f"trained on {example.presentations:,} times",
        f"right at {example.map_correctness:.0%} of the snapshots",
        *([f"forgotten {example.forgetting_events:,} times"] if example.forgetting_events > 1 else []),
        *(["forgotten once"] if example.forgetting_events == 1 else []),
    ]
    return tag(
        "article",
        tag(
            "h3",
            tag("span", f"#{example.index}", class_="number"),
            _id(example),
            tag("span", state.label, class_=f"chip {state.word}"),
            tag("span", example.category, class_="badge data") if example.category else None,
        ),
        tag("p", " · ".join(facts), class_="dim"),
        tag(
            "div",
            tag(
                "dl",
                *([tag("dt", "prompt"), tag("dd", _words(example.prompt, LONG))] if example.prompt else []),
                tag("dt", "expected"),
                tag("dd", _words(example.expected, LONG)),
            ),
            charts.story(trajectory),
            class_="story-head",
        ),
        tag("ol", *[_guess(now, before) for before, now in zip(befores, seen, strict=True)], class_="guesses"),
        class_="story",
    )


def _id(example: Example) -> Markup | None:
    """Its id, if that says more than a number."""
    return None if example.id == str(example.index) else tag("span", _cut(example.id, 60), class_="id data")


def _guess(now: Observation, before: Observation | None) -> Markup:
    mark = ("right", "✓") if now.correct else ("wrong", "✗")
    figures = f"loss {numbers.loss(now.loss)} · confidence {now.confidence:.0%}"
    if before is not None and not now.guessed and now.guess == before.guess:
        said: list[Markup] = [tag("span", "not guessed here, to keep the budget", class_="dim")]
    elif before is not None and now.guess == before.guess:
        said = [_words(now.guess, LONG), tag("span", " same as before", class_="dim")]
    else:
        said = _changes(now.guess, before.guess if before else None, LONG)
    return tag(
        "li",
        tag("span", mark[1], class_=mark[0], title=mark[0]),
        tag("span", f"step {now.step:,}", class_="step"),
        tag("span", figures, class_="figures"),
        tag("div", *said, class_="data guess"),
    )


def _now(observation: Observation, expected: str) -> list[Markup]:
    """The guess with a mark for right or wrong, and with what is not in the expected answer marked."""
    if observation.correct:
        return [tag("span", "✓ ", class_="right", title="right"), _words(observation.guess, SHORT)]
    wrong = tag("span", "✗ ", class_="wrong", title="wrong")
    guess, wanted = _cut(observation.guess, SHORT), _cut(expected, SHORT)
    parts = words.diff(wanted, guess)
    if not guess or _in_common(parts) < KEPT * max(len(guess), len(wanted)):
        return [wrong, _words(observation.guess, SHORT)]
    marked = [
        tag("mark", part.text) if part.kind == "added" else tag("span", part.text)
        for part in parts
        if part.kind != "removed"
    ]
    return [wrong, tag("span", *marked, class_="data")]


def _changes(guess: str, before: str | None, limit: int) -> list[Markup]:
    now = _cut(guess, limit)
    if before is None or not now:
        return [_words(guess, limit)]
    parts = words.diff(_cut(before, limit), now)
    if _in_common(parts) < KEPT * max(len(now), len(before)):
        return [_words(guess, limit)]
    tags = {"same": "span", "added": "ins", "removed": "del"}
    return [tag(tags[part.kind], part.text) for part in parts]


def _in_common(parts: Sequence[words.Part]) -> int:
    return sum(len(part.text) for part in parts if part.kind == "same")


def _words(content: str, limit: int) -> Markup:
    return tag("span", _cut(content, limit), class_="data") if content else tag("span", "(nothing)", class_="dim")


def _cut(content: str, limit: int) -> str:
    return content if len(content) <= limit else f"{content[: limit - 1].rstrip()}…"
