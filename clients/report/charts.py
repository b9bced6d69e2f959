"""The charts of a report, each from the messages it shows. Knows what they mean and how a state is coloured, not the page around them."""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import TypeVar

from guessbook.clients.dashboard import numbers
from guessbook.clients.dashboard.states import SHOWN, counts, shown
from guessbook.clients.report.markup import Markup, join, tag
from guessbook.clients.report.plot import LEFT, RIGHT, TOP, Plot, Point, round_ticks
from guessbook.proto.history_pb2 import Example, Snapshot, Steps, Trajectory

Place = TypeVar("Place", bound=tuple[float, ...])

PERCENT_TICKS = [(0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (1.0, "100%")]
HOVERED = 120  # places with a tooltip on one curve
TITLE = 70  # characters of a prompt in a tooltip
MOST_VARIABLE = 0.5  # the standard deviation of a probability can't be more


def legend(*entries: tuple[str, str]) -> Markup:
    """Pairs of a class, which draws the mark, and what it stands for."""
    return tag("p", *[tag("span", tag("i", class_=f"mark {mark}"), said) for mark, said in entries], class_="legend")


def loss(steps: Steps, snapshots: Sequence[Snapshot]) -> Markup:
    """The training loss by step with the band of its examples' losses; at each snapshot the mean loss of what it looked at."""
    held_out = _finite((float(one.step), one.held_out_loss) for one in snapshots if one.held_out)
    observed = _finite((float(one.step), one.mean_loss) for one in snapshots)
    curve = _finite(zip(map(float, steps.step), steps.loss, strict=True))
    bands = _finite(zip(map(float, steps.step), steps.loss_low, steps.loss_high, strict=True))
    top = max([*(band[-1] for band in bands), *(value for _, value in [*curve, *observed, *held_out]), 0.1])
    last = max([step for step, _ in [*curve, *observed]], default=1.0)
    plot = Plot((0.0, last), (0.0, top * 1.04))
    thinned = curve[:: max(1, len(curve) // HOVERED)]
    parts = [
        plot.axes(
            "optimizer step", "loss (nats)", _steps(last), [(tick, f"{tick:g}") for tick in round_ticks(0.0, top)]
        ),
        *[plot.upright(step, "snapshot") for step, _ in observed],
        plot.area(bands, "band") if bands else None,
        plot.line(curve, "loss") if curve else None,
        *[plot.column(step, f"step {step:,.0f}: loss {numbers.loss(value)}", 6) for step, value in thinned],
        plot.line(held_out, "held-out") if held_out else None,
        *[plot.dot(x, y, "held-out", f"held-out, step {x:,.0f}: loss {numbers.loss(y)}") for x, y in held_out],
        *[plot.dot(x, y, "observed", f"snapshot at step {x:,.0f}: mean loss {numbers.loss(y)}") for x, y in observed],
    ]
    marks = [("line-loss", "training, each step"), ("band", "its examples"), ("dot-observed", "tracked, at a snapshot")]
    return join(
        plot.drawn("Loss by step", *parts), legend(*marks, *([("dot-held-out", "held-out")] if held_out else []))
    )


def accuracy(snapshots: Sequence[Snapshot]) -> Markup:
    """The share of right guesses at each snapshot, of tracked and of held-out examples."""
    series: list[tuple[str, str, list[tuple[float, int, int]]]] = [
        (
            "tracked",
            "tracked, trained on",
            [(float(one.step), one.correct, one.examples) for one in snapshots if one.examples],
        )
    ]
    held_out = [(float(one.step), one.held_out_correct, one.held_out) for one in snapshots if one.held_out]
    if held_out:
        series.append(("held-out", "held-out, never trained on", held_out))
    last = max((float(one.step) for one in snapshots), default=1.0)
    plot = Plot((0.0, last), (0.0, 1.0))
    parts: list[Markup] = [plot.axes("optimizer step", "right", _steps(last), PERCENT_TICKS)]
    for kind, name, points in series:
        parts.append(plot.line([(step, right / of) for step, right, of in points], kind))
        parts += [
            plot.dot(
                step,
                right / of,
                kind,
                f"{name}, step {step:,.0f}: {right:,} of {of:,} right, {numbers.share(right, of)}",
            )
            for step, right, of in points
        ]
    marks = legend(*[(f"dot-{kind}", name) for kind, name, _ in series])
    return join(plot.drawn("Share of right guesses by snapshot", *parts), marks)


def states(snapshots: Sequence[Snapshot]) -> Markup:
    """How many examples were in each state, snapshot by snapshot. The places are evenly spaced: snapshots are dense at the start."""
    columns = [counts(snapshot.states) for snapshot in snapshots]
    total = max(max((sum(column.values()) for column in columns), default=1), 1)
    plot = Plot((0.0, float(max(len(columns) - 1, 1))), (0.0, float(total)))
    parts: list[Markup] = []
    floor = [0.0] * len(columns)
    for state in SHOWN:
        ceiling = [low + column[state.word] for low, column in zip(floor, columns, strict=True)]
        if ceiling != floor:
            edges = [(float(place), low, high) for place, (low, high) in enumerate(zip(floor, ceiling, strict=True))]
            parts.append(plot.area(edges, state.word))
        floor = ceiling
    places = [(float(place), f"{snapshot.step:,}") for place, snapshot in enumerate(snapshots)]
    parts.append(plot.axes("step of the snapshot", "examples", places, _counts(total)))
    width = (plot.width - LEFT - RIGHT) / max(len(columns) - 1, 1)
    for place, (column, snapshot) in enumerate(zip(columns, snapshots, strict=True)):
        said = ", ".join(f"{state.label.lower()} {column[state.word]:,}" for state in SHOWN if column[state.word])
        parts.append(plot.column(float(place), f"step {snapshot.step:,}: {said}", width))
    present = [(state.word, state.label) for state in SHOWN if any(column[state.word] for column in columns)]
    return join(plot.drawn("States over the snapshots", *parts), legend(*present))


def data_map(examples: Sequence[Example]) -> Markup:
    """Each example by the mean and the standard deviation of its expected answer's probability over the snapshots (Swayamdipta et al. 2020)."""
    seen = [one for one in examples if one.HasField("latest") and isfinite(one.map_confidence + one.map_variability)]
    plot = Plot((0.0, MOST_VARIABLE), (0.0, 1.0), height=330.0)
    ticks = [(tick, f"{tick:g}") for tick in round_ticks(0.0, MOST_VARIABLE)]
    regions = [
        plot.note(plot.x(0.0) + 8, TOP + 14, "easy to learn", class_="region"),
        plot.note(plot.width - RIGHT - 6, plot.y(0.5), "ambiguous", "end", "region"),
        plot.note(plot.x(0.0) + 8, plot.y(0.0) - 8, "hard to learn", class_="region"),
    ]
    radius = 4.5 if len(seen) <= 300 else 2.5
    dots = [
        plot.dot(one.map_variability, one.map_confidence, f"state {shown(one.state).word}", _on_the_map(one), radius)
        for one in sorted(seen, key=lambda one: one.latest.correct, reverse=True)
    ]
    axes = plot.axes("variability of the expected answer's probability", "mean probability", ticks, PERCENT_TICKS)
    present = {one.state for one in seen}
    marks = legend(*[(state.word, state.label) for state in SHOWN if state.state in present])
    return join(plot.drawn("Data map", axes, *regions, *dots), marks)


def learning(examples: Sequence[Example], snapshots: Sequence[Snapshot]) -> Markup:
    """The share of examples that had been right at least once, and that had been right for good, up to each snapshot."""
    seen = [example for example in examples if example.HasField("latest")]
    first = [one.first_learned_step for one in seen if one.HasField("first_learned_step")]
    for_good = [one.learned_step for one in seen if one.HasField("learned_step")]
    last = max((float(one.step) for one in snapshots), default=1.0)
    plot = Plot((0.0, last), (0.0, 1.0), height=330.0)
    parts: list[Markup] = [plot.axes("optimizer step", "share of examples", _steps(last), PERCENT_TICKS)]
    for kind, name, learned_at in (("first", "right at least once", first), ("for-good", "right for good", for_good)):
        points = [(float(one.step), sum(step <= one.step for step in learned_at)) for one in snapshots]
        shares: list[Point] = [(step, count / max(len(seen), 1)) for step, count in points]
        parts.append(plot.line(shares, kind))
        parts += [
            plot.dot(step, count / max(len(seen), 1), kind, f"{name} by step {step:,.0f}: {count:,} of {len(seen):,}")
            for step, count in points
        ]
    marks = legend(("dot-first", "right at least once by then"), ("dot-for-good", "right from then on"))
    return join(plot.drawn("Learning speed", *parts), marks)


def story(trajectory: Trajectory) -> Markup:
    """One example's loss, small: in training, and at the snapshots."""
    visits = _finite((float(visit.step), visit.loss) for visit in trajectory.visits)
    observed = _finite((float(one.step), one.loss) for one in trajectory.observations)
    last = max([step for step, _ in [*visits, *observed]], default=1.0)
    top = max([value for _, value in [*visits, *observed]], default=1.0)
    plot = Plot((0.0, last), (0.0, max(top, 0.1) * 1.04), width=340.0, height=170.0)
    parts = [
        plot.axes("step", "loss", _steps(last, 3), [(tick, f"{tick:g}") for tick in round_ticks(0.0, top, 4)]),
        plot.line(visits, "visits") if visits else None,
        plot.line(observed, "observed") if observed else None,
        *[
            plot.dot(
                one.step,
                one.loss,
                f"state {shown(one.state).word}",
                f"step {one.step:,}: loss {numbers.loss(one.loss)}",
            )
            for one in trajectory.observations
            if isfinite(one.loss)
        ],
    ]
    return plot.drawn("Its loss by step", *parts)


def _finite(points: Iterable[Place]) -> list[Place]:
    """A run whose loss is no number any more has its report too: of what can be drawn."""
    return [point for point in points if all(map(isfinite, point))]


def _steps(last: float, about: int = 6) -> list[tuple[float, str]]:
    """Round steps, and the last one."""
    ticks = [tick for tick in round_ticks(0.0, last, about) if tick == int(tick)]
    return [(tick, f"{tick:,.0f}") for tick in dict.fromkeys([*ticks, last])]


def _counts(total: int) -> list[tuple[float, str]]:
    return [(tick, f"{tick:,.0f}") for tick in round_ticks(0.0, float(total), 4) if tick == int(tick)]


def _on_the_map(example: Example) -> str:
    prompt = " ".join((example.prompt or example.expected)[: 2 * TITLE].split())[:TITLE]
    figures = f"mean probability {example.map_confidence:.2f}, variability {example.map_variability:.2f}"
    return f"#{example.index} {prompt}: {figures}, right at {example.map_correctness:.0%} of the snapshots, {shown(example.state).label.lower()} now"
