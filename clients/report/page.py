"""A run's report as one HTML file that needs nothing besides itself: no script, no font, no request. Knows the order of its parts.

The same material gives the same bytes, so a report can be made again and compared.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median

from guessbook.clients import cautions
from guessbook.clients.dashboard import numbers
from guessbook.clients.report import charts, headline, stories
from guessbook.clients.report.markup import Markup, join, tag
from guessbook.clients.report.material import OF_EACH_INSIGHT, Material
from guessbook.proto.history_pb2 import Example, Insight

STYLE = Path(__file__).with_name("style.css")
# Nothing is fetched and nothing runs, whatever the data says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
CATEGORIES = 9


def page(material: Material) -> str:
    """The whole file."""
    title = headline.title(material)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Guessbook"),
        tag("style", Markup(STYLE.read_text())),
    )
    body = tag(
        "body",
        _top(material, title),
        tag("main", _charts(material), _insights(material), _hardest(material), _provenance(material)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _top(material: Material, title: str) -> Markup:
    run = material.run
    warnings = [cautions.cut(run), run.snapshot_warning, run.engine_warning, run.budget_note]
    return tag(
        "header",
        tag("p", f"Guessbook report · run {run.id} · as of {_time(material.status.recorded_at_us)}", class_="dim"),
        tag("h1", title),
        tag("p", " ".join(headline.story(material)), class_="lead"),
        tag("p", _part(material), class_="warning") if material.part else None,
        *[tag("p", warning, class_="warning") for warning in warnings if warning],
        _in_short(material),
    )


def _part(material: Material) -> str:
    return (
        f"Of the examples, only these are told of below: {material.part}. "
        "Loss, right guesses and states by snapshot, and the sentences on what stands out, are of the whole run."
    )


# ---- how it went ----


def _charts(material: Material) -> Markup:
    snapshots, examples = material.snapshots, material.examples
    figures: list[Markup | None] = [
        _figure(
            "Loss",
            charts.loss(material.steps, snapshots),
            "Band: the lowest and highest loss of one example in the step.",
        )
    ]
    if snapshots:
        figures.append(
            _figure("Right guesses", charts.accuracy(snapshots), "Of the model's own greedy guesses, at each snapshot.")
        )
    if len(snapshots) > 1:
        shown = f" A sample of {len(examples):,} of {material.tracked:,}." if material.sampled else ""
        figures += [
            _figure(
                "States", charts.states(snapshots), "Snapshots are evenly spaced here, whatever the steps between them."
            ),
            _figure(
                "Learning speed",
                charts.learning(examples, snapshots),
                f"The gap between the lines is what was forgotten.{shown}",
            ),
            _figure(
                "Data map",
                charts.data_map(examples),
                "Low and left: the expected answer stayed improbable, look at these for wrong labels. Right: it came and went "
                f"(Swayamdipta et al. 2020).{shown}",
            ),
        ]
        figures.append(_categories(examples))
    return _section("How it went", "charts", tag("div", *figures, class_="figures"))


def _figure(name: str, chart: Markup, said: str) -> Markup:
    return tag("figure", tag("h3", name), chart, tag("figcaption", said))


def _categories(examples: Sequence[Example]) -> Markup | None:
    """By category: how many are right, and after how many presentations; the weakest first."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        if example.HasField("latest"):
            groups.setdefault(example.category, []).append(example)
    if len(groups) < 2:
        return None
    weakest = sorted(groups, key=lambda name: sum(one.latest.correct for one in groups[name]) / len(groups[name]))
    rows = [tag("tr", *_category(name or "(none)", groups[name])) for name in weakest[:CATEGORIES]]
    head = tag(
        "tr", *[tag("th", name, scope="col") for name in ("category", "right now", "forgotten", "needed", "loss")]
    )
    said = "The weakest first. Needed: times trained on before first right (median). Forgotten: at least once."
    if len(groups) > CATEGORIES:
        said += f" {CATEGORIES} of {len(groups)} are shown."
    return _figure("By category", tag("table", tag("thead", head), tag("tbody", *rows), class_="categories"), said)


def _category(name: str, members: Sequence[Example]) -> list[Markup]:
    right = sum(one.latest.correct for one in members)
    needed = [one.presentations_to_learn for one in members if one.HasField("presentations_to_learn")]
    cells = [
        f"{right:,} of {len(members):,} ({numbers.share(right, len(members))})",
        f"{sum(one.forgetting_events > 0 for one in members):,}",
        f"{median(needed):g}" if needed else "–",
        numbers.loss(sum(one.latest.loss for one in members) / len(members)),
    ]
    return [tag("th", tag("span", name, class_="data"), scope="row"), *[tag("td", cell) for cell in cells]]


# ---- what to look at ----


def _in_short(material: Material) -> Markup:
    """What stands out, a line each, with the way to what is said of it."""
    found = material.insights
    if not found:
        few = "Too few snapshots to say what stands out." if len(material.snapshots) < 3 else "No example stands out."
        return tag("p", few)
    lines = [tag("li", tag("a", one.sentence, href=f"#insight-{number}")) for number, one in enumerate(found)]
    return join(tag("h2", "What stands out"), tag("ol", *lines))


def _insights(material: Material) -> Markup | None:
    cards = [_insight(one, number, material) for number, one in enumerate(material.insights)]
    return _section("What to look at", "insights", *cards) if cards else None


def _insight(insight: Insight, number: int, material: Material) -> Markup:
    before = ", ".join(f"#{index}" for index in insight.trained_before[:10])
    return tag(
        "article",
        tag("h3", insight.sentence),
        tag("p", insight.evidence, f" Trained most just before: {before}." if before else None),
        tag("p", tag("strong", "What to do: "), insight.advice),
        stories.table(insight, material.trajectories, OF_EACH_INSIGHT) if insight.example_index else None,
        class_=f"insight {insight.kind}",
        id=f"insight-{number}",
    )


def _hardest(material: Material) -> Markup | None:
    if not material.hardest:
        return None
    told = [stories.told(material.trajectories[index]) for index in material.hardest]
    legend = tag(
        "p",
        "The highest loss now, with every guess. ",
        tag("ins", "New"),
        " and ",
        tag("del", "gone"),
        " since the guess before.",
        class_="dim",
    )
    return _section("The hardest examples", "hardest", legend, *told)


# ---- where it comes from ----


def _provenance(material: Material) -> Markup:
    run, status = material.run, material.status
    facts: list[tuple[str, str]] = [
        ("run", run.id),
        ("job", run.job),
        ("version", run.version or "none"),
        ("dataset", f"{run.name} · {run.examples:,} examples · SHA-256 {run.dataset}"),
        *([("held-out", f"{run.held_out:,} examples · SHA-256 {run.config.held_out}")] if run.held_out else []),
        ("base model", run.base_model),
        ("trained parameters", f"{run.trainable_parameters:,} of {run.parameters:,}" if run.parameters else "not told"),
        ("device", run.device or "not told"),
        ("started", _time(run.started_at_us)),
        ("last event", f"{_time(run.last_event_at_us)}, at position {run.position:,} of the log"),
        ("resumed", f"{run.resumes:,} times") if run.resumes else ("resumed", "never"),
        ("snapshots", _snapshots(material)),
        ("log", f"{status.log_id or 'no id'}, as of position {status.position:,}"),
        ("made by", f"Guessbook {metadata.version('guessbook')}; the server is {status.server_version}"),
        ("to make it again", _again(material)),
    ]
    return _section(
        "Where this comes from", "provenance", _list(facts), tag("h3", "Configuration"), _list(_config(material))
    )


def _again(material: Material) -> str:
    if material.part:
        return f"in the dashboard: Evolution, as of position {material.status.position:,}, with the same filters; Export, Report"
    return f"guessbook report {material.run.id} --at {material.status.position}"


def _snapshots(material: Material) -> str:
    found = material.snapshots
    if not found:
        return "none"
    seconds = sum(snapshot.seconds for snapshot in found)
    steps = ", ".join(f"{snapshot.step:,}" for snapshot in found)
    many = material.run.tracked if material.part else material.tracked
    return f"{len(found)}, of {many:,} examples, at steps {steps}; {numbers.duration(seconds)} in all"


def _config(material: Material) -> list[tuple[str, str]]:
    told = []
    for field, value in material.run.config.ListFields():
        listed = value if field.is_repeated else [value]
        told.append((field.name, ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in listed)))
    return told


def _list(facts: Sequence[tuple[str, str]]) -> Markup:
    return tag("dl", *[join(tag("dt", name), tag("dd", said, class_="data")) for name, said in facts], class_="facts")


def _section(title: str, name: str, *parts: str | None) -> Markup:
    return tag("section", tag("h2", title), *parts, id=name)


def _time(microseconds: int) -> str:
    """In UTC: a file has no time zone of its reader."""
    return f"{datetime.fromtimestamp(microseconds / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC" if microseconds else "–"
